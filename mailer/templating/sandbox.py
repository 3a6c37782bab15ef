"""Where templates run: they can show what they are given and nothing else, and they come to an end.

An operator's theme may be somebody else's. So names and methods are on lists, what grows without end is refused, and
every loop, call and text made costs a little of a budget that no honest mail uses up.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import cache, wraps
from itertools import islice
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, nodes, pass_eval_context
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError
from jinja2.filters import do_join, do_replace
from jinja2.nodes import EvalContext
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace, missing
from jinja2.visitor import NodeTransformer

from mailer.core.words import Words

STEPS = 500_000
"""What one mail may cost: a step for each turn of a loop and each call, and one for each 64 characters made."""
LONGEST = 1_000_000
"""Characters of a text that a template makes."""
LARGEST = 10_000_000
"""Characters of a part: a hundred articles with the longest links, before they are brought to the 95,000 of a mail."""
MARGIN = 72
"""Characters that `wrap` may put before a line."""

CONTEXT = frozenset(
    {"page", "reader", "light", "dark", "logo", "subject", "words", "leave", "manage", "since", "mark", "marks"}
)
"""What a template is given by name."""
FILTERS = frozenset(
    {
        *("abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "forceescape"),
        *("groupby", "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject"),
        *("rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "sort", "string", "striptags"),
        *("sum", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount"),
    }
)
"""Jinja's filters that a mail has a use for. None of them draws lots, or makes much out of little."""
METHODS: tuple[tuple[type, frozenset[str]], ...] = (
    (
        str,
        frozenset(
            {
                *("capitalize", "count", "endswith", "find", "isdigit", "lower", "lstrip", "partition"),
                *("removeprefix", "removesuffix", "rpartition", "rstrip", "split", "splitlines", "startswith"),
                *("strip", "title", "upper"),
            }
        ),
    ),
    (Mapping, frozenset({"get", "items", "keys", "values"})),
    (tuple, frozenset({"count", "index"})),
    (list, frozenset({"count", "index"})),
)
"""What a template may call on a text, a table or a list."""
_GLOBALS = frozenset({"cycler", "dict", "joiner", "namespace", "range"})
_JINJAS_OWN = (LoopContext, Macro, TemplateReference, BlockReference, Namespace, Cycler, Joiner, TemplateModule)
_ODD_PLACE = re.compile(r"(?<!%)(?:%%)*%(?!%|\(\w+\)s)")
_BITS = 64
_AT_ONCE = 256  # pieces looked at together
_PIECE = 64  # characters made for one step


class Endless(SecurityError):
    """A part came out longer than any mail: by a mistake in its template, or because it has so much to show."""


@dataclass(slots=True)
class _Budget:
    left: int = STEPS


_budget: ContextVar[_Budget | None] = ContextVar("budget", default=None)


@contextmanager
def one_mail() -> Iterator[None]:
    """What is rendered inside shares one budget."""
    token = _budget.set(_Budget())
    try:
        yield
    finally:
        _budget.reset(token)


class Unknown(StrictUndefined):
    """A name that isn't there. Its sentence names the nearest that is."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        name, whose = self._undefined_name, self._undefined_obj
        if self._undefined_hint or not isinstance(name, str):
            return str(self._undefined_hint or f"there is no {name!r}")
        if whose is missing and name in CONTEXT:
            return f"'{name}' is undefined in this mail: only a digest is for a reader who is known"
        if whose is missing:
            return f"'{name}' is undefined{_nearest(name, CONTEXT)}"
        return f"'{type(whose).__name__}' has no attribute '{name}'{_nearest(name, names_of(whose))}"


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of every mail. Raises SecurityError where a template goes beyond what a theme may."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, loader: BaseLoader) -> None:
        super().__init__(
            loader=loader,
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=Unknown,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.filters = {name: _weighed(self.filters[name]) for name in FILTERS}
        self.filters |= {"join": _join, "replace": _replace, "counted_turns": _turns, "weighed": _weigh}
        self.globals = {name: self.globals[name] for name in _GLOBALS}

    def add_filters(self, **filters: Callable[..., Any]) -> None:
        """Filters of our own, under the same budget."""
        self.filters |= {name: _weighed(function) for name, function in filters.items()}

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063 Jinja's
        """Every call in a template."""
        _charge(1)
        return _weigh(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Sums of numbers, and texts put together. Widths in `'%9d' % 1` make giants, as powers do."""
        for value in (left, right):
            if isinstance(value, int) and value.bit_length() > _BITS:
                raise SecurityError("a number is too large")
        if operator == "**" or (operator == "%" and isinstance(left, str)):
            raise SecurityError(f"'{operator}' is unsafe in a template")
        if operator == "*":
            for text, times in ((left, right), (right, left)):
                if hasattr(text, "__len__") and isinstance(times, int) and len(text) * times > LONGEST:
                    raise SecurityError(f"it makes a text of more than {LONGEST:,} characters")
        return _weigh(super().call_binop(context, operator, left, right))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Fields of what is shown, and methods on the list."""
        return attr in names_of(obj) or (
            isinstance(obj, _JINJAS_OWN) and bool(super().is_safe_attribute(obj, attr, value))
        )

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Refused when it is used."""
        hint = f"access to '{attribute}' of a '{type(obj).__name__}' is unsafe"
        return self.undefined(hint, obj=obj, name=attribute, exc=SecurityError)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """`''.format` is on no list: widths in it make giants."""
        del value
        return None

    def concat(self, pieces: Iterable[str]) -> str:
        """A part, a block or a macro's words, as long as that is not without end."""
        left, found, length = iter(pieces), [""], 0
        while part := list(islice(left, _AT_ONCE)):
            found += part
            length += sum(map(len, part))
            if length > LARGEST:
                raise SecurityError(f"it writes more than {LARGEST:,} characters")
        return "".join(found)

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        bounded = _Bounds().visit(source)
        return str(super()._generate(bounded, name, filename, defer_init))


def names_of(value: object) -> frozenset[str]:
    """What a template may ask a value for."""
    kind: Any = type(value)
    return _names_of_type(kind)


@cache
def _names_of_type(kind: type[Any]) -> frozenset[str]:
    if kind is Words:
        methods = {name for name in vars(Words) if not name.startswith("_")}
        return frozenset(methods - {"catalogue"})
    if is_dataclass(kind):
        bases: tuple[type, ...] = kind.__mro__
        found = {name for base in bases for name, own in vars(base).items() if isinstance(own, property)}
        return frozenset(found | {field.name for field in fields(kind)})
    return next((names for base, names in METHODS if issubclass(kind, base)), frozenset())


def check_places(sentence: str, values: Mapping[str, object]) -> None:
    """Raises SecurityError where filling a sentence's places could make a giant of it."""
    if _ODD_PLACE.search(sentence):
        raise SecurityError("a sentence has places like %(date)s, and %% for a per cent sign")
    longest = max((len(str(value)) for value in values.values()), default=0)
    if len(sentence) + sentence.count("%(") * longest > LONGEST:
        raise SecurityError(f"it makes a text of more than {LONGEST:,} characters")


def nearest_filter(message: str, known: Iterable[str]) -> str:
    """'; the nearest is …' behind Jinja's word that there is no such filter, or ''."""
    head, _, rest = message.partition("No filter named '")
    return _nearest(rest.rstrip("'."), known) if rest and not head else ""


def _nearest(name: str, known: Iterable[str]) -> str:
    found = get_close_matches(name, sorted(known), n=1)
    return f"; the nearest is '{found[0]}'" if found else ""


class _Bounds(NodeTransformer):
    """Counts the turns of loops, and weighs texts put together by `~`."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 the library's name
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "counted_turns")  # type: ignore[arg-type]  # what is looped over is one
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 the library's name
        self.generic_visit(node)
        return _filtered(node, "weighed")


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    made = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
    made.set_environment(node.environment)  # type: ignore[arg-type]  # parsed nodes have theirs
    return made


def _charge(steps: int) -> None:
    budget = _budget.get()
    if budget is None:  # while compiling: constants are folded
        return
    budget.left -= steps
    if budget.left < 0:
        raise SecurityError("it does too much for a mail: a loop or a macro without end?")


def _weigh(made: Any) -> Any:
    """What was made, charged for."""
    if isinstance(made, str):
        if len(made) > LONGEST:
            raise SecurityError(f"it makes a text of more than {LONGEST:,} characters")
        _charge(len(made) // _PIECE)
    elif isinstance(made, list | tuple | dict):
        _charge(len(made) // _PIECE)
    return made


def _weighed(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def weighed(*args: Any, **kwargs: Any) -> Any:
        _charge(1)
        return _weigh(function(*args, **kwargs))

    return weighed


def _turns(found: Any) -> Any:
    """What a loop goes over, each turn charged for beforehand."""
    budget = _budget.get()
    if not hasattr(found, "__len__"):
        found = list(islice(found, (budget.left if budget else STEPS) + 1))
    _charge(len(found))
    return found


@pass_eval_context
def _join(context: EvalContext, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    """Jinja's, weighed before it is done."""
    items = _turns(value)
    if attribute is None and sum(len(str(item)) + len(d) for item in items) > LONGEST:
        raise SecurityError(f"it makes a text of more than {LONGEST:,} characters")
    return _weigh(do_join(context, items, d, attribute))  # type: ignore[no-any-return]  # Markup stays Markup


@pass_eval_context
def _replace(context: EvalContext, s: str, old: str, new: str, count: int | None = None) -> str:
    """Jinja's, weighed before it is done."""
    if len(s) + str(s).count(old) * len(new) > LONGEST:
        raise SecurityError(f"it makes a text of more than {LONGEST:,} characters")
    return _weigh(do_replace(context, s, old, new, count))  # type: ignore[no-any-return]
