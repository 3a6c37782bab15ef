"""The reader's side without pages: forms that are sent in, the mails that leave, the links in them that are pressed."""

import re
import secrets
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import Any

from sqlalchemy import select

from mailer.core.confirmation import Kind
from mailer.core.consent import Circumstances
from mailer.core.signup import Outcome, SignupOptions
from mailer.core.subscription import Newcomer, Subscriber
from mailer.core.tokens import Claim, Purpose, Wish, fingerprint, open_token, open_wish
from mailer.flows import subscribing
from mailer.flows.noticing.posting import Supplies, post
from mailer.flows.subscribing import Form, Pressed
from mailer.store import confirmations, consent, subscribers
from mailer.store.database import Database
from mailer.store.tables import deliveries
from mailer.templating import Templates, ThemeOptions
from tests.flows.scripted import ScriptedRelay, message_id
from tests.stories import DAY, KEY, SITE, TOPICS, Clock, address, cadence, send

LINK = re.compile(r"https://mail\.site\.example/([a-z-]+)/(?:([a-z]+)/)?([0-9A-Za-z._-]+)")
PACES = ("daily", "weekly", "monthly")
THERE = "198.51.100.7"
_PURPOSES = {"confirm": Purpose.CONFIRM, "address": Purpose.MOVE, "erase": Purpose.ERASE, "never": Purpose.NEVER}
_TEMPLATES = Templates(ThemeOptions())


def fingerprints(email: str) -> tuple[str, ...]:
    return (fingerprint(email, KEY),)


@dataclass(frozen=True)
class Letter:
    """A mail as it came. `tokens`: by the page that a link leads to. `text`: its text part in one line."""

    kind: str
    to: str
    text: str
    tokens: dict[str, str]
    message_id: str
    language: str

    def wish(self, page: str = "") -> Wish:
        """What its button asks to confirm, or what its link to a page says."""
        page = page or next(iter(_PURPOSES.keys() - {"never"} & self.tokens.keys()))
        found = open_wish(self.tokens[page], _PURPOSES[page], [KEY])
        assert found is not None
        return found

    def claim(self, page: str) -> Claim:
        """Whose link it is."""
        purpose = {"preferences": Purpose.MANAGE}.get(page, Purpose.LEAVE)
        found = open_token(self.tokens[page], purpose, [KEY])
        assert found is not None
        return found


def still_offered(pace: str) -> str:
    """As Parts.pace: what isn't offered any more is asked for at the pace that is ticked."""
    return pace if pace in PACES else "weekly"


class Side:
    """What readers do on one database. `options`: of [signup]."""

    def __init__(self, database: Database, clock: Clock, **options: Any) -> None:
        self.database, self.clock = database, clock
        self.options = SignupOptions(**options)
        self.relay = ScriptedRelay()
        self._read = 0

    def about(self, route: str = "link", **more: Any) -> Circumstances:
        return Circumstances.of(route, ip=THERE, agent="Browser 1.0", **more)

    def _terms(self, network: str = THERE) -> dict[str, Any]:
        return {"now": self.clock(), "network": network, "options": self.options, "fingerprints": fingerprints}

    async def ask(self, name: str = "ann", pace: str = "weekly", *, network: str = THERE, **chosen: Any) -> Outcome:
        """A form is sent in."""
        about = self.about("page", text="Weekly, please.", language="en", source="https://site.example/a?b")
        form = Form(Newcomer(address(name), pace, **chosen), about, network)
        terms = self._terms()
        del terms["network"]
        return await subscribing.ask_to_join(self.database, form, **terms)

    def supplies(self) -> Supplies:
        return Supplies(
            site=SITE,
            timezone="UTC",
            cadences={name: cadence(name) for name in PACES},
            topics=TOPICS,
            templates=_TEMPLATES,
            keys=[KEY],
            draw=lambda: secrets.token_hex(16),
            options=self.options,
            max_age=2 * DAY,
        )

    async def post(self) -> int:
        """What is wanted goes into the outbox."""
        return await post(self.database, self.supplies(), now=self.clock())

    async def letters(self) -> list[Letter]:
        """What is wanted is composed and sent. Returns what came since the last time, digests too."""
        await self.post()
        await send(self.database, self.relay, self.clock)
        fresh, self._read = self.relay.taken[self._read :], len(self.relay.taken)
        return [await self._open(mail) for mail in fresh]

    async def letter(self, kind: str = "") -> Letter:
        """The one alone that came, digests aside, or the one alone of a kind."""
        (found,) = [one for one in await self.letters() if one.kind == (kind or one.kind) != "digest"]
        return found

    async def _open(self, mail: Any) -> Letter:
        read = message_from_bytes(mail.data, policy=policy.default)
        text = read.get_body(("plain",)).get_content()
        number = int(message_id(mail).strip("<").partition(".")[0])
        asked = select(deliveries.c.purpose).where(deliveries.c.id == number)
        kind = await self.database.read(lambda c: c.execute(asked).scalar_one())
        tokens = {page: token for page, _, token in LINK.findall(f"{text} {read.get('List-Unsubscribe', '')}")}
        language = read["Content-Language"]
        return Letter(kind, mail.recipient, " ".join(text.split()), tokens, message_id(mail), language)

    async def press(self, wish: Wish | Letter | None, kind: Kind = "join") -> Pressed:
        """The button behind a mailed link."""
        opened = wish.wish() if isinstance(wish, Letter) else wish
        terms = self._terms()
        del terms["network"]
        return await subscribing.confirm(
            self.database, opened, kind, about=self.about(), domain="site.example", **terms
        )

    async def send_again(self, letter: Letter, network: str = THERE) -> Outcome | None:
        return await subscribing.send_again(
            self.database, letter.wish(), pace=still_offered, about=self.about(), **self._terms(network)
        )

    async def undo(self, subscriber: int, network: str = THERE) -> Outcome | None:
        return await subscribing.ask_again(
            self.database,
            subscriber,
            pace=still_offered,
            about=self.about(),
            **self._terms(network),
        )

    async def come_in(self, name: str = "ann", pace: str = "weekly", **chosen: Any) -> Subscriber:
        """Ask, confirm, and read the welcome."""
        assert await self.ask(name, pace, **chosen) is Outcome.CONFIRM
        await self.press(await self.letter("confirm"))
        await self.letters()
        return await self.reader(name)

    async def leave(self, name: str = "ann", *, goodbye: bool = True) -> subscribing.Left:
        """By the link in a mail of theirs."""
        reader = await self.reader(name)
        return await subscribing.leave_by_link(
            self.database,
            Claim(reader.id, reader.generation),
            now=self.clock(),
            about=self.about("one-click"),
            goodbye=goodbye,
        )

    async def forbid(self, name: str = "ann") -> bool:
        reader = await self.reader(name)
        wish = await self.database.write(
            confirmations.ask, "join", reader.id, reader.generation, now=self.clock(), address=reader.email
        )
        return await subscribing.forbid(
            self.database,
            Wish(wish, reader.generation, 0),
            now=self.clock(),
            about=self.about(),
            fingerprints=fingerprints,
        )

    async def choose(self, name: str = "ann", *, tell: bool = True, **wish: Any) -> Subscriber:
        reader = await self.reader(name)
        return await subscribing.choose(
            self.database,
            reader.id,
            subscribing.Wish(**wish),
            now=self.clock(),
            about=self.about("preferences"),
            tell=tell,
        )

    async def ask_to_move(self, new: str, name: str = "ann", network: str = THERE) -> Outcome:
        reader = await self.reader(name)
        return await subscribing.ask_to_move(
            self.database, reader, new, about=self.about("preferences"), **self._terms(network)
        )

    async def ask_for(self, kind: str, name: str = "ann") -> bool:
        ask = {"copy": subscribing.ask_for_copy, "erase": subscribing.ask_to_be_erased}[kind]
        return await ask(self.database, await self.reader(name), now=self.clock(), about=self.about("preferences"))

    async def find(self, name: str = "ann") -> Subscriber | None:
        return await self.database.read(subscribers.find, address(name))

    async def reader(self, name: str = "ann") -> Subscriber:
        found = await self.find(name)
        assert found is not None
        return found

    async def record(self, name: str = "ann") -> list[consent.ConsentEvent]:
        return await self.database.read(consent.record_of, (await self.reader(name)).id)

    async def events(self, name: str = "ann") -> list[str]:
        return [one.event for one in await self.record(name)]
