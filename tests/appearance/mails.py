"""Every mail that the tests of this folder look at, as it goes out. One more mail is one more line in MAILS."""

import email
import email.policy
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from email.message import EmailMessage
from functools import cache

from mailer.core.article import Draft
from mailer.core.digest import headers_of
from mailer.core.message import Headers, compile_mail, slot_value, to_value, token_value
from mailer.core.notice import headers_of_notice
from mailer.core.words import date_in_words
from mailer.templating import Rendered, Templates, ThemeOptions
from tests.mail.samples import BOUNDARY, DATE, DRAFTS, INTRO, MARK, ON_THE_WEB, PICTURE, RELATED, SITE, digest, notices

RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})
ACCENT = ThemeOptions().accent
LOGO = "https://site.example/logo.png"
ARABIC, GERMAN = DRAFTS[3], DRAFTS[4]
ARABIC_SITE = replace(
    SITE,
    name="موجز ميا",
    from_name="موجز ميا",
    tagline="أخبار الطب والأبحاث",
    postal_address="شارع الميناء 12\nدبي، الإمارات العربية المتحدة",
    language="ar",
)
ARABIC_DRAFTS = (
    replace(ARABIC, guid="ar-1", picture=PICTURE, topics=("الأورام",)),
    Draft(
        guid="ar-2",
        title="لماذا يختلف أثر العلاج الكيميائي من شخص إلى آخر",
        link="https://site.example/2",
        summary="بعض بكتيريا الأمعاء تفكك الدواء قبل أن يضر بالأنسجة السليمة، كما يقول الباحثون في CAR-T.",
        language="ar",
        topics=("التغذية",),
        minutes=4,
    ),
    Draft(guid="ar-3", title="CAR-T: ما الذي تعنيه النتائج؟", link="https://site.example/3", language="ar", minutes=2),
)
JAPANESE_DRAFTS = (
    Draft(
        guid="ja-1",
        title="一回の細胞療法で多発性骨髄腫の患者の三分の一が五年間再発なし",
        link="https://site.example/ja/1",
        summary="九十七人の患者のうち三十三パーセントが、五年間にわたり再発しなかった。研究者は慎重である。",
        language="ja",
        picture=PICTURE,
        minutes=3,
    ),
    Draft(guid="ja-2", title="肺の機能は二十代前半が頂点", link="https://site.example/ja/2", language="ja", minutes=2),
)
LONG_GERMAN = Draft(
    guid="long",
    title="Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft und "
    "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz",
    link="https://site.example/lang",
    summary="Die Grundstücksverkehrsgenehmigungszuständigkeitsübertragungsverordnung gilt nicht mehr. "
    "https://site.example/eine/sehr/lange/adresse/die/niemand/umbricht/weil/sie/keine/leerzeichen/hat/und/nie/endet",
    language="de",
    topics=("Verwaltungsverfahrensvereinfachung",),
    minutes=12,
)
TWENTY = tuple(
    replace(DRAFTS[at % len(DRAFTS)], guid=f"{at}", link=f"https://site.example/{at}", minutes=at % 7)
    for at in range(20)
)


@dataclass(frozen=True, slots=True)
class Sample:
    """`data`: the whole message, CRLF line ends. `direction`: in which the words around the articles run."""

    data: bytes
    direction: str = "ltr"

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def message(self) -> EmailMessage:
        """As Python's email package reads it."""
        return email.message_from_bytes(self.data, policy=email.policy.default)

    def _part(self, kind: str) -> str:
        return self.message.get_body((kind,)).get_content().replace("\r\n", "\n")


def as_sent(mail: Rendered, headers: Headers, language: str) -> Sample:
    compiled = compile_mail(
        headers=headers,
        subject=mail.subject,
        html=mail.html,
        text=mail.text,
        mark=MARK,
        date=DATE,
        boundary=BOUNDARY,
    )
    data = compiled.build(
        {
            "to": to_value("ada@reader.example", "Ada Løvelace"),
            "message_id": b"01jd9w7v.42@site.example",
            "leave": token_value("bGVhdmUtNDI.QH7qk3ZyVx5mT0cWb2RfN8uJpLs1EaGdHiYo4nKvXtM"),
            "manage": token_value("bWFuYWdlLTQy.w5Zt1JcXq8RfV3mYh0KsB7uNpLa2DgTiEo9yHkQvWxE"),
            "since": slot_value(date_in_words(date(2026, 10, 3), language)),
        }
    )
    return Sample(data, "rtl" if language in RIGHT_TO_LEFT else "ltr")


def a_digest(*drafts: Draft, accent: str = ACCENT, logo: str = "", language: str = "en", **changes: object) -> Sample:
    """A digest of these articles, else of the usual ones, under a theme. `changes`: fields of Digest."""
    sample = digest(*drafts, language=language, **changes)
    templates = Templates(ThemeOptions(accent=accent, logo=logo))
    return as_sent(templates.render_digest(sample, mark=MARK), headers_of(sample), language)


def a_notice(kind: str, language: str, accent: str = ACCENT, **changes: object) -> Sample:
    """A mail that isn't a digest. `kind`: a folder of templates; `changes`: of its fields."""
    notice = replace(notices(language)[kind], **changes)
    rendered = Templates(ThemeOptions(accent=accent)).render_notice(notice, mark=MARK)
    return as_sent(rendered, headers_of_notice(notice), language)


MAILS: dict[str, Callable[[], Sample]] = {
    "digest": lambda: a_digest(more=8),
    "everything": lambda: a_digest(intro=INTRO, related=RELATED, more=8, **ON_THE_WEB),
    "everything in German": lambda: a_digest(intro=INTRO, related=RELATED, more=8, **ON_THE_WEB, language="de"),
    "one article": lambda: a_digest(DRAFTS[0]),
    "one article without anything": lambda: a_digest(Draft(guid="bare", title="Bare", link="https://site.example/b")),
    "twenty articles": lambda: a_digest(*TWENTY, more=1234),
    "no picture": lambda: a_digest(*DRAFTS[1:]),
    "picture without words": lambda: a_digest(replace(DRAFTS[0], picture=replace(PICTURE, alt="")), *DRAFTS[1:3]),
    "long German words": lambda: a_digest(LONG_GERMAN, replace(LONG_GERMAN, guid="long-2"), GERMAN),
    "one endless word": lambda: a_digest(Draft(guid="w", title="W" * 140, link="https://site.example/w"), DRAFTS[1]),
    "German": lambda: a_digest(GERMAN, *DRAFTS[:3], language="de", more=8),
    "Spanish": lambda: a_digest(*TWENTY[:9], language="es", more=8),
    "Arabic": lambda: a_digest(*ARABIC_DRAFTS, site=ARABIC_SITE, language="ar", related=RELATED, more=8, **ON_THE_WEB),
    "Arabic with English items": lambda: a_digest(*DRAFTS, site=ARABIC_SITE, language="ar"),
    "Arabic items in English": lambda: a_digest(ARABIC, DRAFTS[0], *ARABIC_DRAFTS[1:]),
    "Japanese": lambda: a_digest(*JAPANESE_DRAFTS),
    "mixed scripts": lambda: a_digest(ARABIC, *JAPANESE_DRAFTS, LONG_GERMAN, *DRAFTS),
    "logo": lambda: a_digest(logo=LOGO, more=8),
    "accent #FFE600": lambda: a_digest(accent="#FFE600", more=8),
    "accent #14213D": lambda: a_digest(accent="#14213D", more=8),
    "confirm": lambda: a_notice("confirm", "en"),
    "confirm in German": lambda: a_notice("confirm", "de"),
    "confirm in Arabic": lambda: a_notice("confirm", "ar", site=ARABIC_SITE),
    "confirm, accent #FFE600": lambda: a_notice("confirm", "en", accent="#FFE600"),
    "confirm, accent #14213D": lambda: a_notice("confirm", "en", accent="#14213D"),
    "welcome": lambda: a_notice("welcome", "en"),
    "welcome in German": lambda: a_notice("welcome", "de"),
    "welcome in Arabic": lambda: a_notice("welcome", "ar", site=ARABIC_SITE),
    "changed": lambda: a_notice("changed", "en"),
    "changed in German": lambda: a_notice("changed", "de"),
    "changed in Arabic": lambda: a_notice("changed", "ar", site=ARABIC_SITE),
    "goodbye": lambda: a_notice("goodbye", "en"),
    "goodbye in German": lambda: a_notice("goodbye", "de"),
    "goodbye in Arabic": lambda: a_notice("goodbye", "ar", site=ARABIC_SITE),
    "already": lambda: a_notice("already", "en"),
    "already in German": lambda: a_notice("already", "de"),
    "already in Arabic": lambda: a_notice("already", "ar", site=ARABIC_SITE),
    "move": lambda: a_notice("move", "en"),
    "move in German": lambda: a_notice("move", "de"),
    "move in Arabic": lambda: a_notice("move", "ar", site=ARABIC_SITE),
    "moved": lambda: a_notice("moved", "en"),
    "moved in German": lambda: a_notice("moved", "de"),
    "moved in Arabic": lambda: a_notice("moved", "ar", site=ARABIC_SITE),
    "copy": lambda: a_notice("copy", "en"),
    "copy in German": lambda: a_notice("copy", "de"),
    "copy in Arabic": lambda: a_notice("copy", "ar", site=ARABIC_SITE),
    "erase": lambda: a_notice("erase", "en"),
    "erase in German": lambda: a_notice("erase", "de"),
    "erase in Arabic": lambda: a_notice("erase", "ar", site=ARABIC_SITE),
}
"""By name; each is built when it is first asked for, so that one broken mail fails its own tests only."""


@cache
def mail(name: str) -> Sample:
    return MAILS[name]()
