"""Looking a theme over before a run depends on it: every file compiled, every mail of it rendered with samples."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime

from jinja2 import meta, nodes

from mailer.core.article import Article, Draft, Picture
from mailer.core.digest import Digest, lay_out
from mailer.core.frame import Frame, Site
from mailer.core.live import Reader, Source
from mailer.core.message import BODY_SLOTS, slot_mark
from mailer.core.note import EVENTS, lay_out_notice
from mailer.core.notice import (
    Already,
    Changed,
    Confirm,
    Copy,
    Erase,
    Goodbye,
    Move,
    Moved,
    Notice,
    Welcome,
)
from mailer.core.words import Words
from mailer.errors import TemplateError
from mailer.templating.overrides import MAILS, PARTS
from mailer.templating.rendering import Renderer
from mailer.templating.sandbox import one_mail

SAMPLE = Reader("Ada Lovelace", "reader@example.com", "weekly", ("Oncology", "Nutrition"), "en", "3 October 2026")
"""Who reads what is shown to nobody in particular."""
_NOBODY = Reader("", "reader@example.com", "daily", (), "en", "3 October 2026")
_MARK = "TriedOutWithThisMark"
_SITE = Site(
    name="A site",
    url="https://site.example",
    from_name="A site",
    from_address="digest@site.example",
    public_url="https://site.example",
    list_id="digest.site.example",
    postal_address="12 Harbour Street\nDublin",
)
_BARE = Draft(guid="bare", title="A headline alone", link="")
_WHOLE = Draft(
    guid="whole",
    title="A headline that is long enough to be set in a smaller size, which begins at ninety characters or so",
    link="https://site.example/whole",
    summary="What it is about. In two sentences.",
    topics=("Oncology",),
    picture=Picture("https://site.example/picture.png", "A drawing", 1072, 560),
    minutes=2,
)
_ARABIC = Draft(guid="ar", title="دراسة جديدة", link="https://site.example/ar", summary="شملت", language="ar")
_DAY = date(2026, 11, 23)
_MORNING = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)


def complaints(renderer: Renderer, own: Mapping[str, Source], words: Words) -> list[str]:
    """What is wrong with a theme, a sentence each, with file and line: first what can't be read at all."""
    found = [wrong for name in own if (wrong := _compiled(renderer, name))]
    if found:
        return found
    # The same file is in several mails, and wrong in all of them.
    return list(dict.fromkeys(wrong for kind in _touched(renderer, own) for wrong in _tried(renderer, kind, words)))


def reached(renderer: Renderer, names: Iterable[str]) -> dict[str, tuple[Source, nodes.Template]]:
    """These templates and all that they extend, include or import; everything there is, where a name is reckoned."""
    found: dict[str, tuple[Source, nodes.Template]] = {}
    todo = list(names)
    while todo:
        name = todo.pop()
        source = None if name in found else renderer.shelf.find(name)
        if source is None:
            continue
        tree = renderer.environment.parse(source.text, name, source.path)
        found[name] = source, tree
        for other in meta.find_referenced_templates(tree):
            todo.extend(renderer.shelf.list_templates() if other is None else [other])
    return found


def asked_for(tree: nodes.Template) -> frozenset[str]:
    """The names that a template takes from what it is given."""
    return frozenset(meta.find_undeclared_variables(tree))


def asks_who_reads(renderer: Renderer, kind: str) -> bool:
    """Whether a mail of this kind depends on its reader beyond the slots."""
    trees = reached(renderer, [f"email/{kind}/{part}" for part in PARTS]).values()
    return any("reader" in asked_for(tree) for _, tree in trees)


def _compiled(renderer: Renderer, name: str) -> str:
    """Why a template is none, or ''."""
    try:
        renderer.environment.get_template(name)
    except Exception as error:  # noqa: BLE001 whatever a file makes of the compiler, it is a sentence
        return f"{renderer.sentence(error, name)}."
    return ""


def _touched(renderer: Renderer, own: Mapping[str, Source]) -> list[str]:
    """The mails that the theme has a part in."""
    return [
        kind
        for kind in MAILS
        if not own.keys().isdisjoint(reached(renderer, [f"email/{kind}/{part}" for part in PARTS]))
    ]


def _tried(renderer: Renderer, kind: str, words: Words) -> Iterator[str]:
    """Every part of a mail with each sample; one complaint a part is enough."""
    broken: set[str] = set()
    readers: Collection[Reader | None] = (SAMPLE, _NOBODY) if kind == "digest" else (None,)
    for page in _pages(kind, words):
        for reader in readers:
            with one_mail():
                context = renderer.context(page, words, _MARK, reader) | {"subject": "A subject"}
                for part in PARTS:
                    name = f"email/{kind}/{part}"
                    try:
                        if name not in broken:
                            _refuse_broken_slots(renderer, name, renderer.part(name, context))
                    except TemplateError as error:
                        broken.add(name)
                        yield str(error)


def _refuse_broken_slots(renderer: Renderer, name: str, written: str) -> None:
    """Raises TemplateError where a slot doesn't come out as it went in: nothing could be put there."""
    source = renderer.shelf.find(name)
    path = source.path if source else name
    whole = "(?!)" if name.endswith("subject.txt") else slot_mark(_MARK, f"({'|'.join(BODY_SLOTS)})")
    if _MARK.casefold() in re.sub(whole, "", written).casefold():
        raise TemplateError(
            f"{path}: leave, manage or since doesn't come out whole; show it as it is, in the body, without a filter."
        )


def _pages(kind: str, words: Words) -> list[Frame]:
    """A typical mail of this kind, and such as lack what can be lacking."""
    if kind == "digest":
        full = _digest(_WHOLE, _ARABIC, *[_WHOLE, _BARE] * 5, more=3, intro="**Good** morning", related=True)
        return [lay_out(digest, words) for digest in (full, _digest(_BARE), _digest(_ARABIC, _BARE))]
    return [lay_out_notice(notice, words) for notice in _notices(kind)]


def _digest(*drafts: Draft, more: int = 0, intro: str = "", related: bool = False) -> Digest:
    articles = tuple(Article(len(drafts) - at, "feed:1", draft) for at, draft in enumerate(drafts))
    digest = Digest(_SITE, "weekly", "2026-W48", (_DAY, _MORNING.date()), articles, more=more, intro=intro)
    if not related:
        return digest
    others, page = (Article(99, "feed:1", _WHOLE),), "https://site.example/editions/weekly/2026-W48/0"
    return replace(digest, related=others, web_url=page, slower=("monthly", "our_own"))


def _notices(kind: str) -> list[Notice]:
    url = "https://site.example/link"
    facts = ("Address", "reader@example.com"), ("How often", "weekly")
    every: dict[str, list[Notice]] = {
        "confirm": [Confirm(_SITE, "weekly", _DAY, url, url)],
        "welcome": [Welcome(_SITE, "weekly", _MORNING, latest_url=url), Welcome(_SITE, "our_own", _MORNING)],
        "already": [Already(_SITE, "weekly", _DAY)],
        "changed": [
            Changed(_SITE, "weekly", _MORNING),
            Changed(_SITE, "weekly", _MORNING, ("Oncology", "Sleep"), _DAY),
            Changed(_SITE, "weekly", _MORNING, ()),
        ],
        "goodbye": [Goodbye(_SITE, "weekly", url)],
        "move": [Move(_SITE, "weekly", url, never_url=url), Move(_SITE, "our_own", url)],
        "moved": [Moved(_SITE, "weekly", "a***@site.example")],
        "copy": [Copy(_SITE, "weekly", facts, (facts * 2,) * EVENTS), Copy(_SITE, "weekly", facts)],
        "erase": [Erase(_SITE, "weekly", url)],
    }
    return every[kind]
