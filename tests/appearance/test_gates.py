"""The looks' own gates: a digest broken in one place is told, in the look where a reader would meet it."""

import pytest

from tests.appearance.looks import LOOKS, complaints
from tests.appearance.mails import mail

END = "</body>"
WIDE = '<table width="500"><tr><td>Wide</td></tr></table>'
IMAGE = '<img src="https://site.example/x.png" alt="Words that need room" width="80" height="40">'
STYLE_ONLY = "<style>.late{font-size:16px}</style>"
ARABIC = '<p style="font-size:16px;line-height:24px;text-align:left">دراسة</p>'
MATTED = '<body style="filter:contrast(0.05)"'

BROKEN = {
    "white on white": ("light", "#1A1D20", "#FFFFFF", "has a contrast of 1.00"),
    "dark on dark": ("dark", "#E8EBED", "#1A1D20", "has a contrast of 1."),
    "wider than a phone": ("375 px", END, WIDE + END, "it scrolls sideways"),
    "wider than a small phone": ("320 px", END, WIDE.replace("500", "340") + END, "it scrolls sideways"),
    "wider than half a window": ("200 %", END, WIDE.replace("500", "660") + END, "it scrolls sideways"),
    "small print": ("light", "font-size:14px", "font-size:13px", "is 13 px small"),
    "no alt": ("light", ' alt="', ' data-alt="', "has no alt"),
    "no size": ("light", ' height="280"', "", "doesn't say its size"),
    "a picture over http": ("light", 'src="https:', 'src="http:', "isn't https"),
    "alt cut off": ("images off", END, IMAGE + END, "there is no room for 'Words that need room'"),
    "a low link": ("light", END, '<a href="https://site.example" style="font-size:14px">Low</a>' + END, "px high"),
    "two titles": ("light", END, "<h1>Again</h1>" + END, "it has 2 visible h1"),
    "size by style element alone": (
        "no style",
        "</head>",
        STYLE_ONLY + "</head>",
        "is 12 px small",
    ),
    "direction by dir alone": ("webmail", "direction:rtl;", "", "its frame runs ltr"),
    "a number turned": ("webmail", "unicode-bidi:embed", "", "has its number behind its word"),
    "Arabic at the left": ("light", END, ARABIC + END, "px from the right edge"),
    "recoloured away": ("inverted", "<body", MATTED, "as painted"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_digest_is_told(window, fault):
    look, right, wrong, sentence = BROKEN[fault]
    sample = mail("Arabic" if "direction" in fault else "digest")
    html = sample.html.replace(right, wrong)
    assert html != sample.html
    if fault == "size by style element alone":
        html = html.replace(END, '<p class="late" style="font-size:12px">Late</p>' + END)
    found = complaints(window, html, LOOKS[look], rtl=sample.direction == "rtl")
    assert any(sentence in complaint for complaint in found), found
