"""A sound mail, small enough to be read whole, for tests that break one thing in it."""

from mailer.core.quoted import quoted_printable

TOKEN = "bGVhdmUtNDI.QH7qk3ZyVx5mT0cWb2RfN8uJpLs1EaGdHiYo4nKvXtM"

HEADER = f"""\
From: Mia's Feed <digest@site.example>
To: ada@reader.example
Subject: Lungs are at their best between 20 and 25
Date: Mon, 23 Nov 2026 07:00:00 +0000
Message-ID: <42.x7f@site.example>
MIME-Version: 1.0
List-Id: Mia's Feed <digest.site.example>
List-Unsubscribe: <https://news.site.example/one-click/{TOKEN}>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
Auto-Submitted: auto-generated
"""

HTML = f"""\
<!DOCTYPE html>
<html lang="en" dir="ltr"><head><meta charset="utf-8"><title>Lungs</title>
<meta name="color-scheme" content="light dark">
<style>
@media (max-width:619px){{.text{{font-size:15px!important}}}}
</style>
<style>
@media (prefers-color-scheme:dark){{
.canvas{{background-color:#16191C!important;color:#E8EBED!important}}
.accent{{color:#129DB0!important}}
}}
</style>
</head>
<body class="canvas" style="background-color:#FFFFFF;color:#1A1D20">
<div role="article" lang="en" dir="ltr" class="canvas" style="background-color:#FFFFFF;color:#1A1D20">
<div style="display:none;max-height:0;overflow:hidden">Why chemotherapy is harder on some people · How to read</div>
<table role="presentation" width="100%"><tr><td>
<h1>Mia's Feed</h1>
<p><a class="accent" style="color:#0B5F6B" href="https://news.site.example/unsubscribe/{TOKEN}">Unsubscribe</a></p>
<h2><a class="accent" style="color:#0B5F6B" href="https://site.example/lungs">Lungs are at their best</a></h2>
<img src="https://site.example/lungs.png" width="536" height="280" alt="Drawing of lungs">
<p class="text" style="font-size:16px">Measurements from 30,000 people show an early peak.</p>
<h2><a class="accent" style="color:#0B5F6B" href="https://site.example/gut">Part of it lives in the gut</a></h2>
<p style="font-size:14px">Why you get this: on 3 October 2026 you asked for a weekly digest.</p>
<p style="font-size:14px"><a class="accent" style="color:#0B5F6B" href="https://site.example">Mia's site</a><br>
Mia's Feed<br>12 Harbour Street<br>Dublin D02 X285, Ireland</p>
</td></tr></table>
</div>
</body></html>
"""

TEXT = f"""\
Mia's Feed
Unsubscribe: https://news.site.example/unsubscribe/{TOKEN}

1. Lungs are at
   their best
   Measurements from 30,000 people show an early peak.
   https://site.example/lungs

2. Part of it lives in the gut
   https://site.example/gut

Why you get this: on 3 October 2026 you asked for a weekly digest.
Mia's site: https://site.example/
12 Harbour Street, Dublin D02 X285, Ireland
"""


def letter(
    *, header: str = HEADER, html: str | None = HTML, text: str | None = TEXT, html_first: bool = False
) -> bytes:
    """The mail as bytes; a part that is None is left out."""
    kinds = [("plain", text), ("html", html)]
    parts = [
        f"Content-Type: text/{kind}; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n".encode()
        + quoted_printable(body)
        for kind, body in (reversed(kinds) if html_first else kinds)
        if body is not None
    ]
    if len(parts) == 1:
        return crlf(header.encode() + parts[0])
    whole = b"".join(b"--=_b\n" + part + b"\n" for part in parts)
    return crlf(header.encode() + b'Content-Type: multipart/alternative; boundary="=_b"\n\n' + whole + b"--=_b--\n")


def crlf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
