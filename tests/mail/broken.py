"""Mails with one thing wrong each, by the rule and level that it breaks: what lint is to find, and nothing else."""

import re

from tests.mail.letters import HEADER, HTML, TEXT, TOKEN, letter
from tests.mail.samples import MARK

UNSUBSCRIBE = f"https://news.site.example/unsubscribe/{TOKEN}"


def html(old: str, new: str) -> bytes:
    assert old in HTML
    return letter(html=HTML.replace(old, new, 1))


def text(old: str, new: str) -> bytes:
    assert old in TEXT
    return letter(text=TEXT.replace(old, new, 1))


def header(old: str, new: str) -> bytes:
    assert old in HEADER
    return letter(header=HEADER.replace(old, new, 1))


def without(name: str) -> bytes:
    return letter(header=re.sub(rf"^{name}:.*\n", "", HEADER, flags=re.MULTILINE))


def both(old: str, new: str) -> bytes:
    assert old in HTML
    assert old in TEXT
    return letter(html=HTML.replace(old, new), text=TEXT.replace(old, new))


LINE = "<!--" + "All of these words are here to fill a line of it. " * 20 + "-->\n"
IMG = '<img src="https://site.example/lungs.png" width="536" height="280" alt="Drawing of lungs">'
ANCHOR = '<a class="accent" style="color:#0B5F6B" href="https://site.example">Mia\'s site</a>'
BROKEN: dict[tuple[str, str], dict[str, bytes]] = {
    ("unreadable", "error"): {
        "a line of the header that is none": header("MIME-Version", "this is no field\nMIME-Version"),
        "base64 that is none": letter().replace(b"quoted-printable\r\n\r\n<!DOCTYPE", b"base64\r\n\r\n!!!!<!DOCTYPE"),
        "a charset that nobody knows": letter().replace(b"charset=utf-8", b"charset=klingon", 1),
        "bytes that are not its charset": letter().replace(b"30,000", b"30=FF000", 1),
        "a multipart without an end": letter().replace(b"--=_b--\r\n", b""),
    },
    ("line-ends", "error"): {
        "a bare LF": letter().replace(b"\r\n\r\n1. Lungs", b"\r\n\n1. Lungs"),
        "a bare CR": letter().replace(b"early peak.\r\n", b"early\r peak.\r\n", 1),
        "a NUL": letter().replace(b"early", b"ea\x00rly", 1),
    },
    ("line-ends", "warning"): {
        "a file kept with LF": letter().replace(b"\r\n", b"\n"),
    },
    ("line-length", "error"): {
        "a body line of 999 octets": letter().replace(b"<!DOCTYPE html>", b"<!DOCTYPE html><!--" + b"x" * 981 + b"-->"),
    },
    ("size", "warning"): {
        "an HTML part over 90 KB": letter(html=HTML.replace("<h2>", LINE * 89 + "<h2>", 1)),
        "half a megabyte": letter(text=TEXT + ("More of it in words, a line each.\n" * 15_000)),
    },
    ("size", "error"): {
        "an HTML part over 95 KB": letter(html=HTML.replace("<h2>", LINE * 95 + "<h2>", 1)),
    },
    ("parts", "error"): {
        "no text part": letter(text=None),
        "HTML before text": letter(html_first=True),
    },
    ("encoding", "warning"): {
        "8bit": letter().replace(b"=\r\n", b"").replace(b"quoted-printable", b"8bit", 1),
    },
    ("header-once", "error"): {
        "no date": without("Date"),
        "no subject": without("Subject"),
        "two From": header("From:", "From: x <x@site.example>\nFrom:"),
    },
    ("header-form", "error"): {
        "a From without an address": header("From: Mia's Feed <digest@site.example>", "From: Mia"),
        "a date that is none": header("Mon, 23 Nov 2026 07:00:00 +0000", "yesterday"),
        "a message id without <>": header("<42.x7f@site.example>", "42"),
        "bytes in the header that are no text": letter().replace(b"Subject: Lungs", b"Subject: L\xfcngs"),
    },
    ("header-size", "error"): {
        "a field over 8 KB": header("Auto", "X-Long: " + "a\n " * 4000 + "b\nAuto"),
    },
    ("header-fold", "warning"): {
        "a line that could be folded": header("To: ada", "Feedback-Words: " + "some words " * 8 + "\nTo: ada"),
    },
    ("encoded-word", "error"): {
        "an encoded word of 76 octets": header(
            "Lungs are at their best between 20 and 25", "\n =?utf-8?q?" + "a" * 64 + "?="
        ),
        "an encoded word with half a letter": header("Subject: ", "Subject: =?utf-8?q?=C3?= "),
        "an encoded word that is cut": header("Subject: ", "Subject: =?utf-8?q?Gr=C3=B6"),
        "an encoded word in an address": header("<digest@site.example>", "<=?utf-8?q?digest?=@site.example>"),
    },
    ("return-path", "error"): {
        "a Return-Path": header("From:", "Return-Path: <x@site.example>\nFrom:"),
    },
    ("list-id", "error"): {
        "no List-Id": without("List-Id"),
        "a List-Id without <>": header("<digest.site.example>", "digest.site.example"),
    },
    ("one-click", "error"): {
        "no List-Unsubscribe": without("List-Unsubscribe"),
        "no List-Unsubscribe-Post": without("List-Unsubscribe-Post"),
        "List-Unsubscribe over http": header("<https://news", "<http://news"),
        "List-Unsubscribe by mailto alone": header(
            f"<https://news.site.example/one-click/{TOKEN}>", "<mailto:leave@site.example>"
        ),
        "two https addresses": header("List-Unsubscribe: ", "List-Unsubscribe: <https://x.example/>,\n "),
        "another List-Unsubscribe-Post": header("=One-Click", "=Yes"),
    },
    ("auto-submitted", "warning"): {
        "no Auto-Submitted": without("Auto-Submitted"),
    },
    ("subject", "error"): {
        "an empty subject": header("Lungs are at their best between 20 and 25", ""),
    },
    ("subject", "warning"): {
        "a subject of 79": header(
            "Lungs are at their best between 20 and 25", "Lungs are at their best\n " + "and so on " * 5 + "abcdef"
        ),
    },
    ("preheader", "warning"): {
        "a short preheader": html("Why chemotherapy is harder on some people · How to read", "Gut"),
        "a long preheader": html("Why chemotherapy", "And so on, " * 6 + "why chemotherapy"),
        "no preheader": html("Why chemotherapy is harder on some people · How to read", ""),
    },
    ("preheader", "error"): {
        "view in browser": html("Why chemotherapy is harder on some people", "View this email in your browser"),
    },
    ("placeholder", "error"): {
        "a placeholder in the subject": header("Lungs", "{{ title }}"),
        "a placeholder in the text": text("early", "*|FNAME|*"),
        "a placeholder in the HTML": html("early", "%(when)s"),
        "a statement in the HTML": html("early", "{% if x %}"),
        "a placeholder in a link": both("/lungs", "/{{id}}"),
        "a slot's mark": both(TOKEN, f"{MARK}-leave-{MARK}"),
        "None alone": html("Measurements from 30,000 people show an early peak.", "None"),
        "undefined alone": text("   Measurements from 30,000 people show an early peak.", "undefined"),
    },
    ("lang", "error"): {
        "no lang": html('<html lang="en"', "<html"),
        "a lang that is none": html('<html lang="en"', '<html lang="english language"'),
    },
    ("lang", "warning"): {
        "no lang within": html('article" lang="en"', 'article"'),
    },
    ("dir", "warning"): {
        "no dir": html('<html lang="en" dir="ltr"', '<html lang="en"'),
        "no dir within": html('lang="en" dir="ltr" class', 'lang="en" class'),
    },
    ("title", "error"): {
        "no title": html("<title>Lungs</title>", ""),
        "an empty title": html("<title>Lungs</title>", "<title> </title>"),
    },
    ("headings", "error"): {
        "no h1": html("<h1>Mia's Feed</h1>", "<p>Mia's Feed</p>"),
        "two h1": html("<h1>Mia's Feed</h1>", "<h1>Mia's Feed</h1><h1>Unsubscribe</h1>"),
        "an empty heading": html("<h1>Mia's Feed</h1>", "<h1>Mia's Feed</h1><h2></h2>"),
    },
    ("headings", "warning"): {
        "a skipped level": HTML and letter(html=re.sub("(</?)h2", r"\1h3", HTML)),
    },
    ("tables", "warning"): {
        "a layout table": html('<table role="presentation"', "<table"),
    },
    ("alt", "error"): {
        "no alt": html(' alt="Drawing of lungs"', ""),
    },
    ("image-source", "error"): {
        "a picture over http": html('src="https:', 'src="http:'),
        "a picture from nowhere": html('src="https://site.example', 'src="'),
        "a picture that isn't enclosed": html('src="https://site.example/lungs.png', 'src="cid:lungs'),
    },
    ("image-source", "warning"): {
        "a WebP": html("lungs.png", "lungs.webp"),
    },
    ("image-size", "warning"): {
        "no height": html(' height="280"', ""),
    },
    ("active-content", "error"): {
        "script": html("<h1>", "<script>alert(1)</script><h1>"),
        "a form": html("<h1>", "<form action='https://x.example'></form><h1>"),
        "an iframe": html("<h1>", "<iframe src='https://x.example'></iframe><h1>"),
        "a handler": html("<h1>", '<h1 onclick="x()">'),
        "a data: picture": html("https://site.example/lungs.png", "data:image/png;base64,AA"),
        "a data: ground": html("<h1>", '<h1 style="background-image:url(data:x)">'),
        "a refresh": html("<title>", '<meta http-equiv="refresh" content="0"><title>'),
    },
    ("web-font", "warning"): {
        "a web font": html("<style>", "<style>@font-face{font-family:X;src:url(x)}"),
        "a style sheet": html("<title>", '<link rel="stylesheet" href="https://x.example/x.css"><title>'),
    },
    ("layout", "warning"): {
        "position": html("<h1>", '<h1 style="position:absolute">'),
        "flex": html("<h1>", '<h1 style="display:flex">'),
    },
    ("style-block", "warning"): {
        "a comment in the style": html("<style>", "<style>/* phones */"),
        "an @-rule in another": html("<style>", "<style>@media all{@media all{p{margin:0}}}"),
        "rgb() with spaces": html("<style>", "<style>p{border-color:rgb(0 0 0)}"),
        "a large style": html("<style>", "<style>" + "p{margin:0}" * 800),
    },
    ("contrast", "error"): {
        "grey on white": html("font-size:16px", "font-size:16px;color:#999999;"),
        "grey, large": html("<h1>", '<h1 style="color:#999999">'),
        "white on white, inherited": html("<table", '<table bgcolor="#1A1D20"'),
        "a ground that dark forgets": html("<td>", '<td bgcolor="#F3F5F6">'),
        "a colour that dark forgets": html("font-size:16px", "color:#1A1D20"),
        "an alt nobody can read": html('alt="Dr', 'style="background-color:#111111;color:#222222" alt="Dr'),
    },
    ("text-size", "warning"): {
        "13 px": html("font-size:14px", "font-size:13px"),
        "13 px on phones": html("font-size:15px!", "font-size:13px!"),
    },
    ("text-size", "error"): {
        "8 pt": html("font-size:14px", "font-size:8pt"),
    },
    ("link-target", "error"): {
        "a relative link": both("https://site.example/gut", "/gut"),
        "a link to nowhere": html('href="https://site.example"', 'href=""'),
        "a link with a user in it": both("https://site.example/gut", "https://bank@site.example/gut"),
        "leaving over http": both("https://news.site.example/uns", "http://news.site.example/uns"),
    },
    ("link-target", "warning"): {
        "a link over http": both("https://site.example/gut", "http://site.example/gut"),
    },
    ("link-text", "error"): {
        "a link without text": html("Mia's site", ""),
        "a link of a picture without alt": html("Mia's site", IMG.replace("Drawing of lungs", "")),
    },
    ("link-text", "warning"): {
        "a link named here": html("Mia's site", "here"),
        "a link named Hier klicken": html("Mia's site", "Hier klicken!"),
    },
    ("unsubscribe-link", "warning"): {
        "no way out at the end": html(
            "</table>", "</table>" + "<p>More words than one would read. </p>" * 60 + "<p>1 Road</p>"
        ),
        "no way out at the top": html(
            "<h1>Mia's Feed</h1>", "<h1>Mia's Feed</h1>" + "<p>More words than one would read. </p>" * 40
        ),
    },
    ("unsubscribe-link", "error"): {
        "no way out": both(UNSUBSCRIBE, "https://site.example/bye").replace(b"Unsubscribe<", b"Bye<"),
        "a way out that is not seen": html("<p><a", '<p style="display:none"><a'),
    },
    ("postal-address", "warning"): {
        "no postal address": html("<br>12 Harbour Street<br>Dublin D02 X285, Ireland", ""),
    },
    ("text-titles", "error"): {
        "a title that the text lacks": text("Part of it lives in the gut", "In the gut"),
        "titles in another order": letter(
            html=re.sub("(?s)(Lungs are at their best)(<.*>)(Part of it lives in the gut)", r"\3\2\1", HTML)
        ),
    },
    ("text-links", "error"): {
        "an article's link that the text lacks": text("   https://site.example/gut\n", ""),
        "the way out that the text lacks": text(f"Unsubscribe: {UNSUBSCRIBE}\n", ""),
    },
    ("text-links", "warning"): {
        "another link that the text lacks": text("https://site.example/\n", "\n"),
    },
    ("text-columns", "warning"): {
        "a text line of 79 columns": text("   Measurements", "   " + "x" * 76 + "\n   Measurements"),
        "a text line of 80 columns in Japanese": text("   Measurements", "療" * 40 + "\n   Measurements"),
    },
    ("text-markup", "error"): {
        "an entity in the text": text("early", "early&nbsp;and&#8217;s"),
        "a tag in the text": text("early", "<b>early"),
    },
}
