"""`mailer serve` as a process of its own: starting, stopping, and sending beside `mailer send`."""

import contextlib
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.cli.site import Relay, Site
from tests.faults.badrelay import Rule, delay, hang

READERS = 40
# The pages go by the machine's clock, and so does what they send.
YESTERDAY = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
TOKEN = "17.1.dGhpcyBpcyBhIHNpZ25hdHVyZSBvZiAzMiBieXRlcyE"


class Serving:
    """A `mailer serve` that answers."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.line = _first_line(process)
        found = re.match(r"Serving on http://127\.0\.0\.1:(\d+) for https://site\.example\n", self.line)
        assert found, self.line + str(process.poll())
        self.port = int(found[1])

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Returns (exit code, what was said after the first line, the log)."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str, str]:
        """The same, once it has ended by itself."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


def _first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.fixture
def serving(site) -> Iterator[Callable[..., Serving]]:
    """`serving()` starts one; what still runs at the end is killed."""
    begun: list[subprocess.Popen[str]] = []

    def begin(**environ: str) -> Serving:
        begun.append(site.start("serve", "--port", "0", **environ))
        return Serving(begun[-1])

    yield begin
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _publish(site: Site) -> None:
    site.publish({"id": "one", "published": YESTERDAY}, now=YESTERDAY)


@pytest.fixture
def slow(site) -> Iterator[Relay]:
    """A relay that takes its time, and forty readers: a run lasts about two seconds."""
    _publish(site)
    site.join(*(f"r{number}" for number in range(READERS)))
    with Relay(Rule("DOT", delay(0.1))) as relay:
        site.use(relay.port)
        site.environ["MAILER_SMTP__CONNECTIONS"] = "2"
        yield relay


def _until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def _queue(site: Site, address: str) -> None:
    """A mail without an edition is in the outbox, as another process puts it there."""
    site.ask(
        "INSERT INTO deliveries (variant_id, purpose, dedupe_key, address, generation, state, reason, epoch, attempts, "
        "waits, doubts, expires_at) SELECT id, 'test', ?, ?, 1, 'pending', '', 0, 0, 0, 0, 9999999999999 "
        "FROM variants LIMIT 1",
        f"key of {address}",
        address,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_serves_answers_and_stops_when_it_is_asked(serving, relay, number):
    served = serving()

    assert served.get("/healthz").text == "ok"
    assert served.get("/readyz").json() == {"ready": True, "reasons": []}
    assert served.get(f"/confirm/{TOKEN}?email=ann@example.com").status_code == 404
    code, out, err = served.stop(number)

    assert (code, out) == (0, "")
    assert '"route": "/healthz"' in err
    assert "Stopping after what is under way" in err
    assert TOKEN[-20:] not in err
    assert "ann@" not in err
    assert "Traceback" not in err


def test_a_port_that_is_taken_is_one_sentence(site):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        ended = site.run("serve", "--port", str(port))

    assert ended.code == 1
    assert ended.err == (
        f"mailer: Port {port} of 127.0.0.1 is taken: another program listens there. "
        "Give another one, [web] port or --port.\n"
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_one_sentence(site, host):
    ended = site.run("serve", "--host", host, "--port", "0")

    assert ended.code == 1
    assert ended.err == f"mailer: '{host}' is no address of this machine. Check [web] host or --host.\n"


def test_it_does_not_start_where_no_mail_may_leave(site):
    ended = site.run("serve", "--port", "0", MAILER_SITE__POSTAL_ADDRESS="")

    assert ended.code == 1
    assert "postal_address is missing" in ended.err


def test_it_does_not_start_without_a_database(site):
    site.database.unlink()

    ended = site.run("serve", "--port", "0")

    assert ended.code == 1
    assert "Run `mailer upgrade` to make one." in ended.err


def test_a_relay_that_is_down_is_said_once_and_the_pages_stay(serving, site, relay, slow):
    _send_to_nobody(site)
    _queue(site, "ann@example.com")
    site.use(1)
    served = serving()
    time.sleep(4)

    assert served.get("/healthz").status_code == 200
    code, _, err = served.stop()

    assert code == 0
    assert err.count("The relay is down") == 1
    assert err.count('"level": "warning"') == 1


def _send_to_nobody(site: Site) -> None:
    """The edition is made, and nothing of it is left to send."""
    site.run("send", "--cadence", "weekly", "--limit", "1")
    site.ask("UPDATE deliveries SET state = 'skipped' WHERE state <> 'accepted'")
    site.ask("UPDATE editions SET state = 'done'")


def test_it_finishes_what_is_under_way_and_leaves_the_rest(serving, site, slow):
    site.run("send", "--cadence", "weekly", "--limit", "1")
    served = serving()
    _until(lambda: sum(slow.copies.values()) >= 5)
    with socket.create_connection(("127.0.0.1", served.port)) as visitor:
        visitor.sendall(b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
        time.sleep(0.2)
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        visitor.sendall(b"b")
        answered = b""
        while chunk := visitor.recv(65536):
            answered += chunk
    code, out, err = served.ended()

    assert answered.startswith(b"HTTP/1.1 405 ")
    assert (code, out) == (0, "")
    states = dict(site.ask("SELECT state, count(*) FROM deliveries GROUP BY state"))
    taken = sum(slow.copies.values())
    assert states == {"accepted": taken, "pending": READERS - taken}
    assert 0 < taken < READERS
    assert err.count("Stopping") == 1
    with contextlib.closing(socket.socket()) as late:
        assert late.connect_ex(("127.0.0.1", served.port)) != 0


def test_a_second_signal_ends_it_at_once(serving, site, relay):
    _publish(site)
    site.join("ann")
    site.did("send", "--cadence", "weekly")
    _queue(site, "ben@example.com")
    with Relay(Rule("DOT", hang())) as stuck:
        site.use(stuck.port)
        served = serving()
        _until(lambda: any(line.text.startswith(b"DATA") for line in stuck.lines))
        time.sleep(0.5)
        served.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert served.process.poll() is None
        began = time.monotonic()
        code, _, _ = served.stop()

    assert code == -signal.SIGTERM
    assert time.monotonic() - began < 5


def test_mailer_send_works_beside_it(serving, site, slow):
    served = serving()
    sending = site.start("send", "--cadence", "weekly")
    _until(lambda: sum(slow.copies.values()) >= 3)
    _queue(site, "ann@example.com")
    out, err = sending.communicate(timeout=60)
    _until(lambda: slow.copies["ann@example.com"])
    _queue(site, "ben@example.com")
    _until(lambda: slow.copies["ben@example.com"])
    code, _, log = served.stop()

    assert sending.returncode == 0, out + err
    assert code == 0
    assert set(slow.copies.values()) == {1}
    assert len(slow.copies) == READERS + 2
    assert "Traceback" not in log
    site.did("verify")


def test_it_starts_while_mailer_send_runs_and_sends_what_comes_later(serving, site, slow):
    sending = site.start("send", "--cadence", "weekly")
    _until(lambda: sum(slow.copies.values()) >= 3)
    served = serving()
    out, err = sending.communicate(timeout=60)
    _queue(site, "ann@example.com")
    _until(lambda: slow.copies["ann@example.com"])
    code, _, log = served.stop()

    assert sending.returncode == 0, out + err
    assert code == 0
    assert set(slow.copies.values()) == {1}
    assert len(slow.copies) == READERS + 1
    assert '"level": "warning"' not in log
    site.did("verify")


def test_it_takes_over_from_a_sender_that_was_killed(serving, site, slow):
    sending = site.start("send", "--cadence", "weekly")
    _until(lambda: sum(slow.copies.values()) >= 5)
    sending.kill()
    sending.communicate()
    served = serving()
    _until(lambda: len(slow.copies) >= READERS - 2)
    code, _, _ = served.stop()

    assert code == 0
    assert sum(slow.copies.values()) <= READERS + 2
    site.did("verify")
