"""The sample publication: articles like those of a medical news site, as an RSS feed and as pages."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as ET

from jinja2 import Environment
from markupsafe import escape

from mailer.core.language import reading_minutes
from mailer.demo import pictures
from mailer.demo.canvas import HEIGHT, WIDTH
from mailer.demo.pageserver import PAGE_POLICY, Page, Pages, Server, serve, templates

NAME = "Mia's Feed"
TAGLINE = "Medical news and research, told plainly"
RELATED = 4
FRESH = 3
"""Articles that come out before each further digest."""

_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_DC = "http://purl.org/dc/elements/1.1/"
_MEDIA = "http://search.yahoo.com/mrss/"
_ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True)
class Drawing:
    """How an article's picture is drawn, and what can be seen on it."""

    motif: str
    ramp: str
    seed: int
    alt: str


@dataclass(frozen=True, slots=True)
class Story:
    """One article of the publication. `topics`: ids; `published`: aware; `summary`: two sentences."""

    slug: str
    headline: str
    summary: str
    paragraphs: tuple[str, ...]
    author: str
    topics: tuple[str, ...]
    published: datetime
    drawing: Drawing

    @property
    def path(self) -> str:
        return f"/articles/{self.slug}"

    @property
    def picture_path(self) -> str:
        return f"/pictures/{self.slug}.png"

    @property
    def minutes(self) -> int:
        return reading_minutes(" ".join(self.paragraphs), "en")

    @property
    def gist(self) -> str:
        """The summary's first sentence."""
        end = next((i for i, (a, b) in enumerate(pairwise(self.summary)) if a in ".?!" and b == " "), None)
        return self.summary if end is None else self.summary[: end + 1]


class Publication:
    """Articles over the five weeks before `now` (aware), newest first. `topics`: id to name."""

    def __init__(self, now: datetime) -> None:
        source = tomllib.loads(Path(__file__).with_name("articles.toml").read_text(encoding="utf-8"))
        self.topics: Mapping[str, str] = source["topics"]
        stories = (
            Story(
                slug=entry["slug"],
                headline=entry["headline"],
                summary=entry["summary"],
                paragraphs=tuple(entry["text"].strip().split("\n\n")),
                author=entry["author"],
                topics=tuple(entry["topics"]),
                published=now.replace(microsecond=0) - timedelta(hours=entry["hours"]),
                drawing=Drawing(**entry["picture"]),
            )
            for entry in source["article"]
        )
        self.articles = tuple(sorted(stories, key=lambda story: story.published, reverse=True))
        self._archive = self.articles[::-1]
        self._reprints = 0

    def go_on(self, now: datetime) -> None:
        """Time has passed: a few more articles have come out. They are old ones again, and say so."""
        fresh = []
        for hours in range(2, 2 + 5 * FRESH, 5):
            old = self._archive[self._reprints % len(self._archive)]
            self._reprints += 1
            headline = f"From the archive, no. {self._reprints}: {old.headline}"
            slug = f"{old.slug}-{self._reprints}"
            fresh.append(replace(old, slug=slug, headline=headline, published=now - timedelta(hours=hours)))
        self.articles = (*fresh, *self.articles)

    def find(self, slug: str) -> Story | None:
        return next((story for story in self.articles if story.slug == slug), None)

    def related(self, story: Story) -> tuple[Story, ...]:
        """Four others: those that share most topics first, then the nearest in time."""

        def distance(other: Story) -> tuple[int, timedelta]:
            return -len(set(story.topics) & set(other.topics)), abs(story.published - other.published)

        return tuple(sorted((other for other in self.articles if other != story), key=distance)[:RELATED])

    def rss(self, base_url: str) -> bytes:
        """RSS 2.0 with whole articles and pictures; links begin with `base_url` (no trailing slash)."""
        for prefix, namespace in (("content", _CONTENT), ("dc", _DC), ("media", _MEDIA), ("atom", _ATOM)):
            ET.register_namespace(prefix, namespace)
        rss = ET.Element("rss", version="2.0")
        channel = ET.SubElement(rss, "channel")
        _add(channel, "title", NAME)
        _add(channel, "link", f"{base_url}/")
        _add(channel, "description", TAGLINE)
        _add(channel, "language", "en")
        _add(channel, "lastBuildDate", format_datetime(self.articles[0].published))
        href = f"{base_url}/feed.xml"
        _add(channel, f"{{{_ATOM}}}link", "", href=href, rel="self", type="application/rss+xml")
        for story in self.articles:
            self._item(ET.SubElement(channel, "item"), story, base_url)
        ET.indent(rss)
        return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(rss, encoding="unicode").encode()

    def _item(self, item: ET.Element, story: Story, base_url: str) -> None:
        _add(item, "title", story.headline)
        _add(item, "link", base_url + story.path)
        # The feed is served from another port each time; an article stays the same one.
        _add(item, "guid", f"mias-feed:{story.slug}", isPermaLink="false")
        _add(item, "pubDate", format_datetime(story.published))
        _add(item, f"{{{_DC}}}creator", story.author)
        for topic in story.topics:
            _add(item, "category", self.topics[topic])
        _add(item, "description", story.summary)
        body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in story.paragraphs)
        _add(item, f"{{{_CONTENT}}}encoded", body)
        picture = {"url": base_url + story.picture_path, "type": "image/png", "medium": "image"}
        media = _add(item, f"{{{_MEDIA}}}content", "", **picture, width=str(WIDTH), height=str(HEIGHT))
        _add(media, f"{{{_MEDIA}}}description", story.drawing.alt, type="plain")


def serve_site(publication: Publication, host: str = "127.0.0.1", port: int = 0, *, signup_url: str = "") -> Server:
    """The publication over HTTP: `/feed.xml`, `/`, `/topics/<id>`, `/articles/<slug>`, `/pictures/<slug>.png`.

    `signup_url`: where the reader's pages are, for the form below each article; '' leaves it out.
    """
    return serve(lambda url: _pages(publication, url, signup_url), host, port)


def _pages(publication: Publication, base_url: str, signup_url: str) -> Pages:
    looks = templates()
    looks.globals.update(
        site={"name": NAME, "tagline": TAGLINE},
        topics=publication.topics,
        picture={"width": WIDTH, "height": HEIGHT},
        signup_url=signup_url,
    )
    # What docs/embedding.md says that the form needs.
    policy = f"{PAGE_POLICY}; script-src {signup_url}; connect-src {signup_url}" if signup_url else PAGE_POLICY

    def answer(path: str, _query: Mapping[str, str]) -> Page:
        newest = publication.articles[0].published
        folder, _, name = path[1:].rpartition("/")
        if path == "/":
            return _html(looks, "front.html", stories=publication.articles, topic="", modified=newest)
        if path == "/feed.xml":
            return Page(publication.rss(base_url), "application/rss+xml; charset=utf-8", modified=newest)
        if path == "/look.css":
            return Page(looks.get_template("look.css").render().encode(), "text/css; charset=utf-8")
        if folder == "topics" and name in publication.topics:
            stories = [story for story in publication.articles if name in story.topics]
            return _html(looks, "front.html", stories=stories, topic=name)
        story = publication.find(name.removesuffix(".png"))
        if story and path == story.picture_path:
            drawing = story.drawing
            return Page(pictures.draw(drawing.motif, drawing.ramp, drawing.seed), "image/png", modified=story.published)
        if story and path == story.path:
            share = f"mailto:?subject={quote(story.headline)}&body={quote(base_url + story.path)}"
            related = publication.related(story)
            page = _html(looks, "article.html", story=story, related=related, share=share, modified=story.published)
            return replace(page, policy=policy)
        return _html(looks, "missing.html", status=404)

    return answer


def _html(
    looks: Environment, template: str, *, status: int = 200, modified: datetime | None = None, **context: object
) -> Page:
    return Page(looks.get_template(template).render(**context).encode(), status=status, modified=modified)


def _add(parent: ET.Element, tag: str, text: str, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, tag, attributes)
    child.text = text or None
    return child
