"""Every reader's page in every state, for a sample site: by name, as a function of nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime

from mailer.core.cadence import Cadence, CadenceOptions
from mailer.core.edition_archive import ArchivePage
from mailer.core.edition_page import EditionPage, NoEdition
from mailer.core.error_page import ErrorPage
from mailer.core.leaving_page import UnsubscribePage
from mailer.core.preference_page import PreferencePage
from mailer.core.reader_page import AddressPage, ConfirmPage, ErasePage, InsteadPage, NeverPage
from mailer.core.signup_page import SignupDone, SignupPage
from mailer.templating.pages import Page
from tests.mail.samples import DRAFTS, INTRO, RELATED, TOPICS, articles

ADDRESS = "ada@site.example"
FIRST = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)
TODAY = date(2026, 11, 24)
MANAGE, LEAVE = "/preferences/7.1.signature", "/unsubscribe/7.1.signature"
LANGUAGES = ("en", "de", "es", "ar")


def cadence(name: str, when: str) -> Cadence:
    return Cadence.of(name, CadenceOptions(when=when), "Europe/Dublin")


THREE = (cadence("daily", "daily 07:00"), cadence("weekly", "monday 07:00"), cadence("monthly", "day 1 07:00"))
SIX = (
    *THREE,
    cadence("twice_a_week", "mon,thu 08:00"),
    cadence("weekend_news", "saturday 09:30"),
    cadence("month_end", "last day 18:00"),
)


def signup(**changes: object) -> SignupPage:
    given = {"cadences": THREE, "cadence": "weekly", "form_time": "1764000000.c2lnbmF0dXJl", "topics": TOPICS}
    return SignupPage(**given | {"site_timezone": "Europe/Dublin"} | changes)


def in_frame(**changes: object) -> SignupPage:
    return signup(frame=True, action="/embed", site_timezone="", **changes)


def edition(**changes: object) -> EditionPage:
    given = {
        "cadence": "weekly",
        "period": "2026-W48",
        "number": 0,
        "covers": (date(2026, 11, 16), date(2026, 11, 22)),
        "day": date(2026, 11, 23),
        "made": datetime(2026, 11, 23, 7, 0, 30, tzinfo=UTC),
        "articles": articles(*DRAFTS),
        "topics": TOPICS,
    }
    return EditionPage(**given | changes)


def preferences(**changes: object) -> PreferencePage:
    given = {
        "state": "shown",
        "address": ADDRESS,
        "today": TODAY,
        "cadences": THREE,
        "cadence": "weekly",
        "topics": TOPICS,
        "chosen": ("oncology",),
        "timezone": "Europe/Dublin",
        "site_timezone": "Europe/Berlin",
        "hour": 7,
        "languages": LANGUAGES,
        "language": "en",
        "unsubscribe_url": LEAVE,
        "next": FIRST,
    }
    return PreferencePage(**given | changes)


def leaving(state: str, **changes: object) -> UnsubscribePage:
    given = {"address": ADDRESS, "cadence": "daily", "slower": ("weekly", "monthly")}
    return UnsubscribePage(state=state, **given | changes)


def _confirm(state: str) -> ConfirmPage:
    return ConfirmPage(state=state, address=ADDRESS, cadence="weekly", first=FIRST, preferences_url=MANAGE)


def _address(state: str) -> AddressPage:
    return AddressPage(state=state, address=ADDRESS, new_address="lovelace@site.example", preferences_url=MANAGE)


def _instead(state: str) -> InsteadPage:
    return InsteadPage(state=state, now="daily", to="weekly", next=FIRST, preferences_url=MANAGE)


PAGES: dict[str, Page] = {
    "signup": signup(privacy_url="https://site.example/privacy"),
    "signup, plain": signup(topics={}, site_timezone=""),
    "signup, one pace": signup(cadences=THREE[1:2]),
    "signup, six paces": signup(cadences=SIX, cadence="twice_a_week"),
    "signup, empty": signup(errors={"email": "empty", "cadence": "pace"}, cadence=""),
    "signup, format": signup(email="ada@site", errors={"email": "format"}),
    "signup, pace": signup(email=ADDRESS, cadence="", errors={"cadence": "pace"}),
    "signup, pace of six": signup(email=ADDRESS, cadences=SIX, cadence="", errors={"cadence": "pace"}),
    "signup, topics": signup(email=ADDRESS, errors={"topics": "topics", "timezone": "timezone"}),
    "signup, stale": signup(email=ADDRESS, errors={"form": "stale"}),
    "signup, again": signup(email=ADDRESS, errors={"form": "again"}),
    "signup, server": signup(email=ADDRESS, errors={"form": "server"}),
    "signup in a frame": in_frame(privacy_url="https://site.example/privacy"),
    "signup in a frame, format": in_frame(email="ada@site", errors={"email": "format"}),
    "signup done": SignupDone(email=ADDRESS, cadence="weekly", first=FIRST),
    "signup done in a frame": SignupDone(
        email=ADDRESS, cadence="month_end", first=FIRST, again_url="/embed", frame=True
    ),
    **{
        f"confirm, {state}": _confirm(state)
        for state in ("ask", "done", "already", "expired", "sent", "stale", "wrong")
    },
    **{f"never, {state}": NeverPage(state=state, address=ADDRESS) for state in ("ask", "done", "wrong")},
    **{
        f"unsubscribe, {state}": leaving(state)
        for state in ("ask", "older", "done", "thanks", "again", "gone", "wrong")
    },
    "unsubscribe, paused": leaving("paused", paused_until=date(2026, 12, 24)),
    "unsubscribe, instead": leaving("instead", cadence="monthly", next=FIRST),
    "unsubscribe, in a pause": leaving("ask", pause=False, paused_until=date(2026, 12, 24)),
    "unsubscribe, instead in a pause": leaving("instead", cadence="monthly", paused_until=date(2026, 12, 24)),
    "unsubscribe, nothing slower": leaving("ask", cadence="monthly", slower=()),
    "unsubscribe, own pace": leaving("ask", cadence="twice_a_week", slower=("weekend_news",)),
    "preferences": preferences(),
    "preferences, saved": preferences(changed="saved"),
    "preferences, paused": preferences(changed="paused", paused_until=date(2026, 12, 22)),
    "preferences, resumed": preferences(changed="resumed"),
    "preferences, move": preferences(changed="move", new_address="lovelace@site.example"),
    "preferences, copy": preferences(changed="copy"),
    "preferences, erase": preferences(changed="erase"),
    "preferences, enough": preferences(changed="enough"),
    "preferences, six paces": preferences(cadences=SIX, cadence="weekend_news", topics={}, languages=("en",)),
    "preferences, wrong": preferences(
        cadence="",
        errors={
            "cadence": "pace",
            "topics": "topics",
            "hour": "hour",
            "timezone": "timezone",
            "language": "language",
            "until": "until",
            "address": "format",
        },
        until="2026-11-01",
        new_address="lovelace",
    ),
    "preferences, same address": preferences(errors={"address": "same"}, new_address=ADDRESS),
    "preferences, gone": preferences(state="gone"),
    "preferences, wrong link": PreferencePage(state="wrong"),
    **{f"instead, {state}": _instead(state) for state in ("ask", "done", "same", "gone", "wrong")},
    **{
        f"instead, {state} in a pause": replace(_instead(state), paused_until=date(2026, 12, 24))
        for state in ("ask", "done")
    },
    **{f"address, {state}": _address(state) for state in ("ask", "done", "expired", "taken", "stale", "wrong")},
    **{
        f"erase, {state}": ErasePage(state=state, address=ADDRESS, preferences_url=MANAGE)
        for state in ("ask", "done", "expired", "stale", "wrong")
    },
    "error 429 in a frame": ErrorPage(429, frame=True),
    "edition": edition(),
    "edition, everything": edition(
        intro=INTRO,
        related=RELATED,
        more=8,
        archived=True,
        older="/editions/weekly/2026-W47/0",
        newer="/editions/weekly/2026-W49/0",
    ),
    "edition, one article": edition(articles=articles(DRAFTS[-1]), cadence="weekend_news", offered=False),
    "edition, missing": NoEdition(),
    "archive": ArchivePage(
        editions=(
            edition(),
            edition(cadence="daily", articles=articles(*DRAFTS[3:]), covers=(date(2026, 11, 20), date(2026, 11, 20))),
            edition(cadence="monthly", articles=articles(DRAFTS[4]), covers=(date(2026, 10, 1), date(2026, 10, 31))),
        ),
        number=2,
        last=3,
    ),
    "archive, empty": ArchivePage(editions=()),
    **{f"error {status}": ErrorPage(status) for status in (400, 404, 405, 413, 429, 500, 503)},
}
