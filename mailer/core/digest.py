"""What a digest holds, and what of it a reader sees: words, cuts, directions. No template decides any of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import quote, urlsplit

from mailer.core.article import Article, Picture
from mailer.core.frame import Frame, Site, frame_of
from mailer.core.intro import Intro, read_intro
from mailer.core.link import is_loopback, web_address
from mailer.core.message import Headers
from mailer.core.script import language_of, script_of
from mailer.core.sentences import instead
from mailer.core.text import Direction, clean_text, first_sentences, first_strong, shorten
from mailer.core.words import ENGLISH, Words

__all__ = ["Digest", "Item", "Layout", "Site", "Slower", "headers_of", "lay_out"]

SUBJECT, PREHEADER, TITLE = 60, 110, 140
LEAD_SUMMARY, ITEM_SUMMARY = 220, 160
SUMMARISED = 6  # the articles shown with a summary, the lead among them
LONG_TITLE = 90  # from here a headline is set smaller, and hyphenated
SLOWER = 2  # cadences that a footer offers
PICTURE_WIDTH = 536  # pixels, 600 without the sides


@dataclass(frozen=True, slots=True)
class Digest:
    """One variant of one edition: the same for every reader of it.

    `covers`: first and last local day of what it covers. `articles`: in order, the first is the lead, already
    capped; `more`: how many stayed over the cap. `topics`: id to name, as configured. `intro`: the editor's words,
    Markdown, or ''. `related`: older articles to read on, the best first. `subject`: the operator's template for the
    subject, or '' for the lead's headline. `web_url`: of this variant's public page, absolute, or ''. `slower`: the
    cadences that come less often, the nearest first.
    """

    site: Site
    cadence: str
    period: str
    covers: tuple[date, date]
    articles: tuple[Article, ...]
    more: int = 0
    language: str = "en"
    topics: Mapping[str, str] = field(default_factory=dict)
    intro: str = ""
    related: tuple[Article, ...] = ()
    subject: str = ""
    web_url: str = ""
    slower: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One article as it is shown. What is unknown is '', or left out of `meta`; `picture` is 536 pixels wide.

    `script`: '' for Latin, Cyrillic and Greek, else 'ar', 'he', 'ja', 'zh', 'ko' or 'other'.
    """

    number: int
    title: str
    link: str
    summary: str
    meta: tuple[str, ...]
    direction: Direction
    language: str
    script: str
    picture: Picture | None = None

    @property
    def is_long(self) -> bool:
        return len(self.title) > LONG_TITLE


@dataclass(frozen=True, slots=True)
class Slower:
    """A cadence that comes less often. `path`: its name as a part of an address.

    `words`: 'Monthly instead', with a place for `label` where it is the operator's own.
    """

    path: str
    words: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout(Frame):
    """A digest as it is shown: every text cleaned and cut, every URL ASCII, nothing left to decide.

    `period`: '16–22 November'. `intro`: the editor's words. `more`: 'and 8 more on the site', or ''. `related`: older
    articles, by title and link alone. `share`: a mail with the lead's title and address, to be sent to anybody, or ''.
    `web_url`: of this digest on the web, or ''. `more_url`: where the articles are that are counted in `more`.
    """

    subject: str
    period: str
    lead: Item
    summarised: tuple[Item, ...]
    titled: tuple[Item, ...]
    more: str
    intro: Intro | None = None
    related: tuple[Item, ...] = ()
    share: str = ""
    web_url: str = ""
    slower: tuple[Slower, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """All that are shown, in order."""
        return (self.lead, *self.summarised, *self.titled)

    @property
    def more_url(self) -> str:
        return self.web_url or self.site_url

    @property
    def name(self) -> str:
        """What a screen reader calls the mail."""
        return f"{self.site_name}, {self.label}, {self.period}"

    @property
    def scripts(self) -> frozenset[str]:
        """The scripts that need fonts of their own."""
        of_articles = {item.script for item in (*self.items, *self.related)}
        of_intro = {self.intro.script} if self.intro else set()
        return frozenset({self.script, self.site_script, *of_articles, *of_intro}) - {""}


def lay_out(digest: Digest, words: Words = ENGLISH) -> Layout:
    """What the templates show of a digest, said in `words`.

    Raises ValueError where it holds no article: such a digest is no mail.
    """
    if not digest.articles:
        raise ValueError("a digest without articles is not mailed")
    items = tuple(item_of(digest, number, article, words) for number, article in enumerate(digest.articles, start=1))
    related = (item_of(digest, SUMMARISED + 1, article, words) for article in digest.related)
    lead = items[0]
    others = " · ".join(item.title for item in items[1:4])
    return Layout(
        **frame_of(digest.site, digest.cadence, words),
        subject=shorten(lead.title, SUBJECT),
        preheader=shorten(others, PREHEADER) if others else first_sentences(lead.summary, PREHEADER),
        period=words.period(*digest.covers),
        lead=lead,
        summarised=items[1:SUMMARISED],
        titled=items[SUMMARISED:],
        more=words.more(digest.more),
        intro=read_intro(digest.intro, digest.site.language),
        related=tuple(item for item in related if item.link),
        share=_share(lead),
        web_url=digest.web_url,
        slower=tuple(
            Slower(quote(name, safe=""), instead(words, name), words.label(name)) for name in digest.slower[:SLOWER]
        ),
    )


def _share(lead: Item) -> str:
    """RFC 6068: no third party learns of it, and every mail program can."""
    return f"mailto:?subject={quote(lead.title, safe='')}&body={quote(lead.link, safe='')}" if lead.link else ""


def headers_of(digest: Digest) -> Headers:
    """The header fields that all readers of this digest share."""
    site = digest.site
    return Headers(
        from_name=site.from_name,
        from_address=site.from_address,
        list_name=site.name,
        list_id=site.list_id,
        public_url=site.public_url,
        feedback=(digest.period, digest.cadence, "digest"),
        reply_to=site.reply_to,
        language=digest.language,
        archive=site.archive,
    )


def item_of(digest: Digest, number: int, article: Article, words: Words, *, summarised: int = SUMMARISED) -> Item:
    """One article as a digest shows it under this number; those after the first `summarised` without a summary."""
    draft = article.draft
    title = clean_text(draft.title, TITLE) or clean_text(draft.summary, LONG_TITLE) or words.untitled()
    limit = LEAD_SUMMARY if number == 1 else ITEM_SUMMARY
    summary = first_sentences(clean_text(draft.summary, 4 * limit), limit) if number <= summarised else ""
    script = script_of(title, draft.language or digest.site.language)
    return Item(
        number=number,
        title=title,
        link=web_address(draft.link),
        summary="" if summary == title else summary,
        meta=tuple(filter(None, (_topic(draft.topics, digest.topics), words.minutes(draft.minutes)))),
        direction=first_strong(title),
        language=language_of(script, draft.language or digest.site.language),
        script=script,
        picture=_fitting(draft.picture) if number == 1 and draft.picture else None,
    )


def _topic(labels: tuple[str, ...], names: Mapping[str, str]) -> str:
    """The first label that the site lists, by its name there; else the first one as it is written."""
    known = {name.casefold(): name for name in names.values()} | {key.casefold(): name for key, name in names.items()}
    cleaned = [label for label in (clean_text(label, 40) for label in labels) if label]
    listed = [known[label.casefold()] for label in cleaned if label.casefold() in known]
    return clean_text((listed + cleaned + [""])[0], 40)


def _fitting(picture: Picture) -> Picture | None:
    """The picture scaled to the column, where mail programs will show it and it fits; else none."""
    url = web_address(picture.url)
    path = urlsplit(url).path.lower()
    kind = picture.media_type.partition(";")[0].strip().lower()
    right_kind = kind in ("image/jpeg", "image/jpg", "image/png") if kind else path.endswith((".jpg", ".jpeg", ".png"))
    safe = url.startswith("https:") or is_loopback(url)
    # 4:3 to 2:1, in whole numbers.
    right_shape = 3 * picture.width >= 4 * picture.height > 0 and picture.width <= 2 * picture.height
    if not (safe and right_kind and right_shape and picture.width >= PICTURE_WIDTH):
        return None
    height = round(picture.height * PICTURE_WIDTH / picture.width)
    return Picture(url, clean_text(picture.alt), PICTURE_WIDTH, height, kind)
