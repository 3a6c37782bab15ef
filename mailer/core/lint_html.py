"""A mail's HTML, held to what mail programs and screen readers need: language, headings, images, nothing active."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from mailer.core.link import is_loopback
from mailer.core.lint_colours import visible
from mailer.core.lint_header import scheme_of
from mailer.core.lint_letter import Letter
from mailer.core.lint_page import Element, Page
from mailer.core.lint_rules import Finding, shown, shown_tag
from mailer.core.lint_sheet import blocks, declarations
from mailer.core.lint_style import Style

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*\Z")
_ACTIVE = frozenset(
    {
        *("script", "form", "input", "select", "textarea", "button", "iframe", "frame", "frameset", "object"),
        *("embed", "applet", "base", "audio", "video", "canvas"),
    }
)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_LARGEST_STYLE = 8_192  # characters that Gmail reads of one style element
_SPACED_RGB = re.compile(r"rgba?\(\s*\d+\s+\d+")


def check_page(page: Page, letter: Letter, light: list[Style]) -> Iterator[Finding]:
    """Every rule of the HTML part but those of its colours and links."""
    yield from _language(page, light)
    yield from _title(page)
    yield from _headings(page, light)
    for element in page.elements[1:]:
        yield from _element(element)
    for table in page.named("table"):
        yield from _table(page, table)
    for image in page.named("img"):
        yield from _image(image, letter)
    for line, css in page.styles:
        yield from _style_element(line, css)


def _place(element: Element) -> str:
    return f"HTML line {element.line}"


def _language(page: Page, light: list[Style]) -> Iterator[Finding]:
    root = next(page.named("html"), None)
    where = _place(root) if root else "HTML"
    if root is None or "lang" not in root.attributes:
        yield Finding("lang", "error", where, 'write <html lang="…">; screen readers read with the voice it names.')
    if root is None or "dir" not in root.attributes:
        yield Finding("dir", "warning", where, 'write <html dir="ltr"> or "rtl", which side a line begins on.')
    for element in page.elements:
        tag = element.attributes.get("lang")
        if tag is not None and not _LANGUAGE.match(tag):
            yield Finding(
                "lang",
                "error",
                _place(element),
                f"{shown_tag(element.tag, element.attributes, 'lang')} names no language (RFC 5646), like 'en'.",
            )
        if element.attributes.get("dir", "ltr").lower() not in ("ltr", "rtl", "auto"):
            yield Finding(
                "dir",
                "warning",
                _place(element),
                f"{shown_tag(element.tag, element.attributes, 'dir')} is neither ltr, rtl nor auto.",
            )
    # What the root itself lacks has been said.
    for name in [name for name in ("lang", "dir") if root and name in root.attributes]:
        seen = (run for run in visible(page, light) if not run.text.isspace())
        bare = next((run for run in seen if not _says(run.element, name)), None)
        if bare is not None:
            yield Finding(
                name,
                "warning",
                f"HTML line {bare.line}",
                f"webmail drops <html> and <body>, and {shown(bare.text)} has no {name} from within; "
                f'put all into <div {name}="…">.',
            )


def _says(element: Element, name: str) -> bool:
    return any(name in one.attributes for one in element.ancestors() if one.tag not in ("html", "body"))


def _title(page: Page) -> Iterator[Finding]:
    if not page.title:
        found = "it has no <title>" if page.title is None else "its <title> is empty"
        yield Finding("title", "error", "HTML", f"{found}; it is what a tab and a screen reader call the mail.")


def _headings(page: Page, light: list[Style]) -> Iterator[Finding]:
    headings = [one for one in page.named(*_HEADINGS) if not light[one.number].hidden]
    first = sum(heading.tag == "h1" for heading in headings)
    if first != 1:
        yield Finding(
            "headings",
            "error",
            "HTML",
            f"it has {first or 'no'} <h1>; exactly one names the mail for those who jump from heading to heading.",
        )
    above = 0
    for heading in headings:
        level = int(heading.tag[1])
        text = page.text_of(heading)
        if not text:
            yield Finding("headings", "error", _place(heading), f"the <{heading.tag}> is empty; leave it out.")
        elif level > above + 1 and above:
            yield Finding(
                "headings",
                "warning",
                _place(heading),
                f"<{heading.tag}> {shown(text)} comes after <h{above}>; no level may be skipped.",
            )
        above = level


def _element(element: Element) -> Iterator[Finding]:
    attributes = element.attributes
    if element.tag in _ACTIVE:
        yield _active(element, f"<{element.tag}> is taken out, and counts as an attack")
    elif element.tag == "meta" and attributes.get("http-equiv", "").lower() == "refresh":
        yield _active(element, "a mail can't lead anybody elsewhere by itself")
    for name, value in attributes.items():
        if name.startswith("on") and name[2:].isalpha():
            yield _active(element, f"{shown_tag(element.tag, attributes, name)} is script")
        elif name in ("href", "src", "background", "action") and scheme_of(value) in ("data", "javascript", "vbscript"):
            yield _active(element, f"{shown_tag(element.tag, attributes, name)} is blocked: name an https address")
    if element.tag == "link" and "stylesheet" in attributes.get("rel", "").lower():
        yield _font(element.line, "a style sheet from elsewhere is not loaded")
    yield from _layout(element)


def _layout(element: Element) -> Iterator[Finding]:
    style = element.attributes.get("style", "")
    if "position" not in style and "display" not in style and "url(" not in style:
        return
    declared = declarations(style)
    if declared.get("position", "static") not in ("static", "relative"):
        yield _off_layout(element, f"position:{declared['position']}")
    shown_as = declared.get("display", "")
    if "flex" in shown_as or "grid" in shown_as:
        yield _off_layout(element, f"display:{shown_as}")
    if any("url(data:" in re.sub("['\"\\s]", "", value) for value in declared.values()):
        yield _active(element, "a data: picture is blocked: name an https address")


def _off_layout(element: Element, what: str) -> Finding:
    return Finding(
        "layout", "warning", _place(element), f"<{element.tag}> has {what}, which many mail programs drop; use tables."
    )


def _active(element: Element, why: str) -> Finding:
    return Finding("active-content", "error", _place(element), f"{why}.")


def _font(line: int, why: str) -> Finding:
    return Finding("web-font", "warning", f"HTML line {line}", f"{why}; name fonts that every machine has.")


def _table(page: Page, table: Element) -> Iterator[Finding]:
    if table.attributes.get("role", "").lower() in ("presentation", "none"):
        return
    inside = {one.tag for one in page.within(table)}
    if not inside & {"th", "caption"} and "table" not in table.attributes.get("role", ""):
        yield Finding(
            "tables",
            "warning",
            _place(table),
            f"{shown_tag('table', table.attributes, 'class', 'id')} is read out as a table of data; "
            'write role="presentation", or <th> where it is one.',
        )


def _image(image: Element, letter: Letter) -> Iterator[Finding]:
    attributes = image.attributes
    tag = shown_tag("img", attributes, "src")
    if "alt" not in attributes:
        yield Finding(
            "alt", "error", _place(image), f'{tag} has no alt; say what it shows, or alt="" where it only decorates.'
        )
    missing = [name for name in ("width", "height") if not re.fullmatch(r"\s*\d+%?\s*", attributes.get(name, ""))]
    if missing:
        yield Finding(
            "image-size",
            "warning",
            _place(image),
            f"{tag} has no {' and no '.join(missing)} attribute; with both, nothing jumps when pictures load.",
        )
    yield from _source(image, tag, letter)


def _source(image: Element, tag: str, letter: Letter) -> Iterator[Finding]:
    source = image.attributes.get("src", "").strip()
    scheme = scheme_of(source)
    if scheme == "cid":
        if source[4:] not in letter.contents:
            yield _no_source(image, "error", f"{tag} shows a part that this mail doesn't have")
    elif scheme == "http" and not is_loopback(source):
        yield _no_source(image, "error", f"{tag} is not https, which mail programs refuse to load")
    elif scheme not in ("http", "https", "data"):  # data: is active content
        yield _no_source(image, "error", f"{tag} has no whole address; a mail has no site that it could be relative to")
    elif urlsplit(source).path.lower().endswith((".svg", ".webp", ".avif", ".tif", ".tiff")):
        yield _no_source(image, "warning", f"{tag} is of a kind that not all mail programs show; use JPEG, PNG or GIF")


def _no_source(image: Element, level: str, why: str) -> Finding:
    return Finding("image-source", "error" if level == "error" else "warning", _place(image), f"{why}.")


def _style_element(line: int, css: str) -> Iterator[Finding]:
    flat = css.lower()
    if "@font-face" in flat or "@import" in flat:
        yield _font(line, "@font-face and @import work in few mail programs, and tell others who reads")
    why = ""
    if len(css) > _LARGEST_STYLE:
        why = f"has {len(css):,} characters, and Gmail drops one of more than {_LARGEST_STYLE:,}"
    elif "/*" in css:
        why = "has a comment, and Yahoo loses the rule behind it"
    elif any(len(around) > 1 for around, *_ in blocks(css)):
        why = "has an @-rule within another, and Gmail drops all of it"
    elif _SPACED_RGB.search(flat):
        why = "has an 'rgb(0 0 0)' without commas, and Gmail drops all of it"
    if why:
        yield Finding("style-block", "warning", f"HTML line {line}", f"the style element {why}.")
