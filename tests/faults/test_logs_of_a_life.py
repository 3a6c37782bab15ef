"""The log of a real `mailer serve` while readers live through all there is: no token, no address, JSON a line."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from mailer.core.tokens import Purpose
from tests.cli.site import Relay
from tests.faults.badrelay import Rule, accept_then_drop, recipient, say
from tests.faults.served import BROAD, KEY, Served, body_of, until

YESTERDAY = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
ANN, MOVED, NEVER, REFUSED, DROPPED, DOWN = (
    "ann.reader@example.com",
    "ann.elsewhere@example.org",
    "nell.never@example.com",
    "rita.refused@example.com",
    "dan.dropped@example.com",
    "lou.late@example.com",
)
BY_API, BY_FRAME, BY_SCRIPT = "ada.api@example.com", "fay.framed@example.com", "sam.script@example.com"
ADDED = "adam.added@example.com"
MISTYPED = ("ann.reader@@example.com", "ann.reader.example.com", "ann rëader@example.com", "<ann.mistyped@example.com>")
TOKEN = re.compile(r"/(?:confirm|never|preferences|unsubscribe|one-click|address|erase|instead/\w+)/([\w.=-]+)")


class Told:
    """All that must not be in a log: tokens as they come by, addresses."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self.addresses = {ANN, MOVED, NEVER, REFUSED, DROPPED, DOWN, BY_API, BY_FRAME, BY_SCRIPT, ADDED}

    def hear(self, text: str) -> None:
        self.tokens |= set(TOKEN.findall(text)) | set(re.findall(r'form_time"\s*(?:value=|:)\s*"([^"]+)"', text))

    def planted(self) -> list[str]:
        """Each token also by its signature alone, each address also by its name and as a browser writes it."""
        names = {(address.rpartition("@")[0] or address).strip("<@") for address in {*self.addresses, *MISTYPED}}
        names |= {name.replace(".", "%2E") for name in names} | {name.replace(" ", "+") for name in names}
        return sorted(self.tokens | {token.rpartition(".")[2] for token in self.tokens} | names)


class Life:
    """What readers do, with all the mishaps there are. `told`: every secret that came by."""

    def __init__(self, site, relay: Relay, pages: Served) -> None:
        self.site, self.relay, self.pages, self.told = site, relay, pages, Told()

    def visit(self, method: str, path: str, fields=None, **headers: str) -> int:
        self.told.hear(path)
        status, text = self.pages.request(method, path, fields, **headers)
        self.told.hear(text)
        return status

    def open_all(self, mail) -> None:
        """Every link of it, in all ways that change nothing, and with a letter changed."""
        text = body_of(mail, "plain") + str(mail["List-Unsubscribe"])
        self.told.hear(text)
        for path in dict.fromkeys(re.findall(rf"{self.pages.url}(/[^\s<>]+)", text)):
            for method in ("GET", "HEAD", "OPTIONS"):
                self.visit(method, path, Referer=self.pages.url + path)
            self.visit("GET", path[:-1] + "=", Cookie=f"seen={ANN}")

    def mail(self, address: str, kind: str):
        def found():
            mails = [one for one in self.relay.mails_to(address) if str(one["Feedback-ID"]).split(":")[2] == kind]
            return mails[-1] if mails else None

        mail = until(found)
        self.told.hear(body_of(mail, "html"))
        self.open_all(mail)
        return mail

    def press(self, mail, page: str, **fields) -> None:
        assert self.visit("POST", self.pages.link(mail, page), fields) == 200

    def forms(self) -> None:
        """By the page, the frame, the programs' way, a script's on another site; and wrong ones."""
        for path in ("/subscribe", "/embed", "/subscribe?lang=de", "/api/form"):
            assert self.visit("GET", path) == 200
        for address in (ANN, NEVER, REFUSED, DROPPED):
            assert self.visit("POST", "/subscribe", self._form(address)) == 200
        assert self.visit("POST", "/embed", self._form(BY_FRAME)) == 200
        for address in MISTYPED:
            assert self.visit("POST", "/subscribe", self._form(address)) == 422
        assert self.visit("POST", "/subscribe", self._form(ANN) | {"form_time": "1.nothing"}) == 422
        assert self.visit("POST", f"/subscribe?email={ANN}", self._form(ANN) | {"website": ANN}) == 200
        assert self.api({"email": BY_API}) == 200
        assert self.api({"email": MISTYPED[0]}) == 422
        assert self.api({"email": [ANN]}) == 422
        assert self.api({"email": BY_SCRIPT}, Origin="https://elsewhere.example") == 403

    def _form(self, address: str) -> dict[str, str]:
        made = self.pages.form_time()
        self.told.tokens.add(made)
        return {"email": address, "cadence": "weekly", "form_time": made}

    def api(self, fields, **headers: str) -> int:
        document = {"cadence": "weekly", "form_time": self._form("")["form_time"], "source": f"/x?{ANN}"} | fields
        return self.pages.send("POST", "/api/subscribe", json.dumps(document), "application/json", **headers)[0]

    def change_everything(self) -> None:
        self.press(self.mail(ANN, "confirm"), "confirm")
        own = self.pages.link(self.mail(ANN, "welcome"), "preferences")
        wishes = [
            {"do": "save", "cadence": "monthly", "timezone": "Europe/Berlin", "hour": "6", "language": "de"},
            {"do": "pause", "weeks": "4"},
            {"do": "resume"},
            {"do": "copy"},
            {"do": "move", "address": MOVED},
        ]
        for wish in wishes:
            assert self.visit("POST", own, wish) == 200
        for wrong in ({"do": "move", "address": MISTYPED[0]}, {"do": "pause", "until": ANN}, {"do": "save"}):
            assert self.visit("POST", own, wrong) == 422
        self.mail(ANN, "changed")
        self.mail(ANN, "copy")
        self.press(self.mail(MOVED, "move"), "address")
        self.mail(ANN, "moved")
        assert self.visit("POST", f"/instead/weekly/{own.rpartition('/')[2]}") == 200

    def leave_and_come_back(self) -> None:
        leave = self.pages.token(MOVED, Purpose.LEAVE)
        assert self.visit("POST", f"/one-click/{leave}", {"List-Unsubscribe": "One-Click"}) == 200
        self.mail(MOVED, "goodbye")
        assert (
            self.visit("POST", f"/unsubscribe/{leave}", {"do": "reason", "reason": "else", "text": f"I am {ANN}"})
            == 200
        )
        assert self.visit("POST", f"/unsubscribe/{leave}", {"do": "again"}) == 200
        self.press(self.mail(MOVED, "confirm"), "confirm")
        assert self.visit("POST", f"/preferences/{self.pages.token(MOVED, Purpose.MANAGE)}", {"do": "erase"}) == 200
        self.press(self.mail(MOVED, "erase"), "erase")
        self.press(self.mail(NEVER, "confirm"), "never")


@pytest.fixture
def relay(site) -> Iterator[Relay]:
    """It refuses one, and falls silent over another."""
    said = say(f"550 5.1.1 <{REFUSED}>: no such user; see https://relay.example/{'x' * 20}A9")
    with Relay(
        Rule("RCPT", said, when=recipient(REFUSED)), Rule("DOT", accept_then_drop(), when=recipient(DROPPED))
    ) as running:
        site.use(running.port)
        yield running


def test_a_whole_life_leaves_no_token_and_no_address_in_the_log(site, relay):
    site.publish({"id": "one", "published": YESTERDAY}, now=YESTERDAY)
    site.environ |= {"MAILER_SIGNUP__ADDRESS_PAUSE": "0s", "MAILER_SIGNUP__ADDRESS_PER_DAY": "100"}
    with Served(site, **BROAD) as pages:
        life = Life(site, relay, pages)
        life.forms()
        until(lambda: relay.copies[DROPPED])
        life.change_everything()
        site.did("subscribers", "add", ADDED, "--cadence", "weekly")
        beside = site.did("send", "--cadence", "weekly")
        life.leave_and_come_back()
        site.use(1)
        pages.stop()
        pages.begin()
        assert life.visit("POST", "/subscribe", life._form(DOWN)) == 200
        until(lambda: "The relay is down" in pages.log.read_text())
        assert life.visit("GET", f"/nowhere/{pages.token(DOWN, Purpose.LEAVE)}?email={ANN}") == 404
        pages.stop()

    said = pages.log.read_text() + pages.out.read_text()
    assert [secret for secret in life.told.planted() if secret in said] == []
    assert [secret for secret in life.told.planted() if secret in beside.all] == []
    assert KEY not in said
    assert len(life.told.tokens) > 20
    assert "not reached" in said
    assert "Traceback" not in said
    lines = [json.loads(line) for line in pages.log.read_text().splitlines()]
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    asked = {line["route"] for line in lines if line["event"] == "request"}
    assert {"/one-click/{token}", "/instead/{cadence}/{token}", "/erase/{token}", "/api/subscribe", "none"} <= asked
    assert len(pages.out.read_text().splitlines()) == 2, "all else is in the log"
