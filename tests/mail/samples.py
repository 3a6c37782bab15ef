"""A sample site, its digest, and every odd text that a feed may bring."""

from dataclasses import replace
from datetime import UTC, date, datetime

from mailer.core.article import Article, Draft, Picture
from mailer.core.digest import Digest, Site
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

MARK = "kX7qP2mZ9tR4wB6nC8vY"
DATE = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
BOUNDARY = "3f9c1d7a5b20e846"

SITE = Site(
    name="Mia's Feed",
    url="https://site.example",
    from_name="Mia's Feed",
    from_address="digest@site.example",
    public_url="https://news.site.example",
    list_id="digest.site.example",
    tagline="Medical News & Research",
    reply_to="mia@site.example",
    postal_address="12 Harbour Street\nDublin D02 X285, Ireland",
)
TOPICS = {"oncology": "Oncology", "lung-health": "Lung health", "nutrition": "Nutrition"}
PICTURE = Picture("https://site.example/pictures/car-t.png", "Drawing: a large cell among smaller ones", 1072, 560)

DRAFTS = (
    Draft(
        guid="car-t",
        title="A third of patients live five years without relapse after a single CAR-T dose",
        link="https://site.example/car-t",
        summary="One infusion, no maintenance therapy: of 97 people with multiple myeloma, 33 percent had no relapse "
        "in five years. The researchers are careful with the word cure.",
        topics=("oncology",),
        picture=PICTURE,
        minutes=2,
    ),
    Draft(
        guid="gut",
        title="Why chemotherapy is harder on some people: part of the answer lives in the gut",
        link="https://site.example/gut?from=feed&x=1",
        summary="Certain gut bacteria break a common drug down before it harms healthy tissue.",
        topics=("Oncology", "nutrition"),
        minutes=3,
    ),
    Draft(
        guid="lungs",
        title="Lungs are at their best between 20 and 25",
        link="https://site.example/lungs",
        summary="Measurements from 30,000 people show an early peak — and no plateau.",
        topics=("LUNG HEALTH",),
        minutes=4,
    ),
    Draft(
        guid="fa",
        title="دراسة جديدة: خلايا CAR-T تمنح ثلث المرضى خمس سنوات",
        link="https://site.example/دراسة",
        summary="شملت الدراسة 97 مريضا بالورم النقوي المتعدد.",
        language="ar",
        topics=("الأورام",),
        minutes=3,
    ),
    Draft(guid="de", title="Größere Studie zu Fünfjahresdaten", link="https://site.example/größe", language="de"),
    Draft(
        guid="ja", title="一回の細胞療法で五年間再発なし", link="https://site.example/ja", summary="三分の一の患者。"
    ),
    Draft(guid="risk", title="How to read a headline about risk", link="https://site.example/risk", minutes=2),
)


def articles(*drafts: Draft) -> tuple[Article, ...]:
    return tuple(Article(len(drafts) - at, "feed:1", draft) for at, draft in enumerate(drafts))


def digest(*drafts: Draft, **changes: object) -> Digest:
    given = {
        "site": SITE,
        "cadence": "weekly",
        "period": "2026-W47",
        "covers": (date(2026, 11, 16), date(2026, 11, 22)),
        "articles": articles(*(drafts or DRAFTS)),
        "topics": TOPICS,
    }
    return Digest(**(given | changes))


INTRO = """Good morning. This week **one dose** makes headlines; [our guide](https://site.example/guide) still holds.

* Sleep is next week
* Write to [Mia](mailto:mia@site.example)
"""
RELATED = tuple(Article(90 + at, "feed:1", replace(draft, guid=f"old{at}")) for at, draft in enumerate(DRAFTS[1:4]))

ON_THE_WEB = {"web_url": "https://news.site.example/editions/weekly/2026-W47/0", "slower": ("monthly", "harbour_news")}
"""What a digest of an edition has besides its articles."""

MONDAY = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)


FACTS = (
    ("Email address", "ada@reader.example"),
    ("Name", "أدا"),
    ("How often", "weekly"),
    ("Topics", "Oncology and Lung health"),
)
EVENTS = (
    (
        ("3 October 2026, 14:02", "Asked for a subscription · Weekly"),
        ("Page", "https://site.example/about"),
        ("Version of what you read", "3f9c1d7a5b20"),
        ("IP address", "203.0.113.0"),
    ),
    (
        ("3 October 2026, 14:05", "Confirmed the subscription · Weekly"),
        ("Browser", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    ),
    (("4 October 2026, 9:00", "Changed the topics · All → Oncology and Lung health"),),
)


def notices(language: str = "en") -> dict[str, Notice]:
    return {
        "confirm": Confirm(
            SITE,
            "weekly",
            date(2026, 11, 23),
            "https://news.site.example/confirm/Y29uZmlybS00Mg.QH7qk3ZyVx5mT0cWb2RfN8uJpLs1EaGdHiYo4nKvXtM",
            "https://news.site.example/never/bmV2ZXItNDI.w5Zt1JcXq8RfV3mYh0KsB7uNpLa2DgTiEo9yHkQvWxE",
            language=language,
        ),
        "welcome": Welcome(SITE, "weekly", MONDAY, language, "https://news.site.example/editions/weekly/2026-W47"),
        "already": Already(SITE, "weekly", date(2026, 11, 23), language),
        "changed": Changed(SITE, "monthly", MONDAY, ("Oncology", "Lung health"), language=language),
        "goodbye": Goodbye(SITE, "weekly", "https://news.site.example/subscribe", language),
        "move": Move(
            SITE,
            "weekly",
            "https://news.site.example/address/bW92ZS00Mg.QH7qk3ZyVx5mT0cWb2RfN8uJpLs1EaGdHiYo4nKvXtM",
            language=language,
            never_url="https://news.site.example/never/bmV2ZXItNDI.w5Zt1JcXq8RfV3mYh0KsB7uNpLa2DgTiEo9yHkQvWxE",
        ),
        "moved": Moved(SITE, "weekly", "a***@example.org", language),
        "copy": Copy(SITE, "weekly", FACTS, EVENTS, language),
        "erase": Erase(
            SITE,
            "weekly",
            "https://news.site.example/erase/ZXJhc2UtNDI.QH7qk3ZyVx5mT0cWb2RfN8uJpLs1EaGdHiYo4nKvXtM",
            language=language,
        ),
    }


ODD_TITLES = {
    "carriage return and line feed": "Good news\r\nBcc: everyone@site.example",
    "line feed alone": "one\ntwo",
    "line separator": "one\u2028two\u2029three\x85four",
    "NUL and escape": "a\x00b\x1b[31mc\x7f\x9fd",
    "vertical tab and form feed": "a\x0bb\x0cc\x1cd",
    "bidi override": "safe \u202egnp.exe\u202c \u2066x\u2069",
    "zero width": "in\u200bvis\ufeffible\u2060 \u00adtext",
    "ten thousand characters": "word " * 2000,
    "ten thousand letters": "a" * 10_000,
    "ten thousand marks": "e" + "\u0301\u0316" * 5_000,
    "template syntax": "{{ leave }}{% raise %}{# gone #}${x}",
    "html": '<script>alert(1)</script><b>5 < 6 & 7 > 2</b> "it\'s" <!--[if mso]>',
    "entities": "&lt;b&gt; &amp; &#8232;",
    "emoji": "👩‍👩‍👧 family, 👩🏽‍🔬 scientist, 🏳️‍🌈 flag, 🏴󠁧󠁢󠁳󠁣󠁴󠁿 Scotland",
    "right to left": "שלום CAR-T עולם",
    "joiners in Persian": "می‌خواهم بدانم",
    "look-alike of an encoded word": "=?utf-8?q?Subject?= =?utf-8?b?eA==?=",
    "lone surrogate": "a\ud800b\udfff",
    "only invisible": "\u200b\u200e\ufeff\x00 \u2028",
    "empty": "",
    "dots and From": ".\r\n.hidden\r\nFrom here",
    "very long word with umlauts": "Ä" * 300,
    "soft break look-alike": "100 =\r\n=20 =3D",
    "quotes and commas": 'Mia, "the" (doctor) <x@y>; \\',
    "CJK": "多発性骨髄腫の患者の三分の一が五年間再発なし" * 9,
    "noncharacters": "a\ufffe\uffffb\ufdd0",
}
