"""An operator's own subject: `{{ lead.title }} and {{ rest }} more`.

A subject may do so little that nothing can go wrong in it: values, a few filters, conditions, sums. No loop, no call
and no multiplication means that it ends at once and is never much longer than what it is made of.
"""

from dataclasses import dataclass
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mailer.core.digest import SUBJECT, Layout
from mailer.core.text import clean_text, shorten

LONGEST = 100  # characters of a subject that can't be brought to the 60 of look.md §3
LONGEST_TEMPLATE = 300
SHORTEST_TITLE = 20  # below that a headline says nothing
VALUES = ("lead.title", "rest", "total", "site", "cadence", "label", "period")
FILTERS = ("upper", "lower", "capitalize", "title", "trim", "truncate", "default")
_NAMES = frozenset(value.partition(".")[0] for value in VALUES)
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.CondExpr),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Concat, nodes.Add, nodes.Sub),
    nodes.Keyword,
)
_ENVIRONMENT = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)


@dataclass(frozen=True, slots=True)
class _Lead:
    title: str


def check_subject(text: str) -> str:
    """The template itself. Raises ValueError with a sentence where it can't be a subject."""
    if len(text) > LONGEST_TEMPLATE:
        raise ValueError(f"must have at most {LONGEST_TEMPLATE} characters, not {len(text)}")
    try:
        tree = _ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"is no template: {error.message}") from None
    except RecursionError:
        raise ValueError("is no template: it has too many brackets in each other") from None
    for node in tree.find_all(nodes.Node):
        _check_node(node)
    if text:
        for rest in (0, 7):
            _trial(text, rest)
    return text


def make_subject(template: str, page: Layout, total: int, cadence: str) -> str:
    """The subject of a digest by a template that was checked; '' where it comes out empty.

    A headline in it is cut so that the whole has 60 characters, where that leaves enough of it. `total`: articles,
    those over the cap included. `cadence`: its name.
    """
    title = page.lead.title
    written = _write(template, page, title, total, cadence)
    room = len(title) - (len(written) - SUBJECT)
    if SHORTEST_TITLE <= room < len(title):
        written = _write(template, page, shorten(title, room), total, cadence)
    return shorten(written, LONGEST)


def _write(template: str, page: Layout, title: str, total: int, cadence: str) -> str:
    values = {
        "lead": _Lead(title),
        "rest": total - 1,
        "total": total,
        "site": page.site_name,
        "cadence": cadence,
        "label": page.label,
        "period": page.period,
    }
    return clean_text(_compiled(template).render(values), 10 * LONGEST)


@lru_cache(maxsize=64)
def _compiled(template: str) -> Template:
    return _ENVIRONMENT.from_string(template)


def _check_node(node: nodes.Node) -> None:
    if isinstance(node, nodes.Getattr):
        name = f"{node.node.name if isinstance(node.node, nodes.Name) else ''}.{node.attr}"
        if name not in VALUES:
            raise ValueError(f"knows nothing called '{name}'; there are: {', '.join(VALUES)}")
    elif isinstance(node, nodes.Name):
        if node.name not in _NAMES:
            raise ValueError(f"knows nothing called '{node.name}'; there are: {', '.join(VALUES)}")
    elif isinstance(node, nodes.Filter):
        if node.name not in FILTERS:
            raise ValueError(f"can't use the filter '{node.name}'; there are: {', '.join(FILTERS)}")
    elif not isinstance(node, _ALLOWED):
        what = type(node).__name__.lower()
        raise ValueError(f"can't use '{what}': a subject may have values, filters, conditions and sums")  # noqa: TRY004 pydantic's sentence


def _trial(text: str, rest: int) -> None:
    """Whatever is wrong with the kinds of values shows before a run depends on it."""
    values = {"lead": _Lead("Headline"), "rest": rest, "total": rest + 1}
    words = dict.fromkeys(("site", "cadence", "label", "period"), "word")
    try:
        _compiled(text).render(values | words)
    except (TypeError, ValueError, UndefinedError, OverflowError, SyntaxError, RecursionError) as error:
        raise ValueError(f"can't be written: {error}") from None
