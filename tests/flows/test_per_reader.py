"""A theme that asks who reads, from planning to the relay: each copy is its reader's own, and a second is the first."""

import asyncio
import email
import email.policy
from datetime import timedelta
from time import sleep

import pytest
from sqlalchemy import update

from mailer.core.live import Live, unpack
from mailer.flows.delivering import line, permits
from mailer.flows.planning import Composer
from mailer.store import editions as edition_store
from mailer.store import subscribers as subscriber_store
from mailer.store.database import Database
from mailer.store.tables import subscribers
from mailer.templating import Press, Templates, ThemeOptions
from tests.faults.badrelay import BadRelay
from tests.flows.scripted import DOUBT, LATER, LOST, ScriptedRelay, message_id
from tests.stories import SITE, TOPICS, Clock, address, join, make_edition, name_of, publish, send, standing

GREETING = (
    '{% extends "ours/email/digest/body.html" %}'
    "{% block tagline %}<p>Dear {{ reader.name }}, of {{ reader.address }}, since {{ reader.joined }}:"
    " {{ reader.cadence }}, {{ reader.topics | join(' and ') or 'all' }}</p>{% endblock %}"
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(line.Line.__init__, "__defaults__", (0.001,))


@pytest.fixture
def theme(tmp_path):
    folder = tmp_path / "theme"
    write(folder, GREETING)
    return folder


def write(folder, text: str) -> None:
    (folder / "email/digest").mkdir(parents=True, exist_ok=True)
    (folder / "email/digest/body.html").write_text(text, encoding="utf-8")


def by(folder) -> Composer:
    return Composer(SITE, TOPICS, Templates(ThemeOptions(templates=folder)))


async def planned(database: Database, theme, **names: str) -> int:
    """A live edition for these readers, each with a name. Returns its id."""
    await publish(database, "a", "b")
    await join(database, *names)
    for reader, name in names.items():
        await call(database, reader, name)
    return (await make_edition(database, by=by(theme))).edition.id


async def call(database: Database, reader: str, name: str) -> None:
    """Write down what a reader is called."""
    renamed = update(subscribers).where(subscribers.c.email == address(reader)).values(name=name)
    await database.write(lambda connection: connection.execute(renamed).rowcount)


def html_of(data: bytes) -> str:
    message = email.message_from_bytes(data, policy=email.policy.default)
    return message.get_body(("html",)).get_content()


async def test_each_reader_gets_a_copy_with_their_own_name(database, clock, theme):
    edition = await planned(database, theme, ann="Ann", bob="Bob")
    relay = ScriptedRelay()
    report = await send(database, relay, clock)
    shown = {name_of(mail.recipient): html_of(mail.data) for mail in relay.taken}
    assert "Dear Ann, of ann@example.com, since 24 October 2026: weekly, all</p>" in shown["ann"]
    assert "Dear Bob, of bob@example.com" in shown["bob"]
    assert (report.rendered, await standing(database, edition)) == (2, {"ann": "accepted", "bob": "accepted"})
    for name, html in shown.items():
        other = {"ann": "bob", "bob": "ann"}[name]
        assert other not in html.lower()
        assert "/unsubscribe/" in html


async def test_topics_are_shown_by_their_names(database, clock, theme):
    await publish(database, "a", topics=["lungs"])
    await join(database, "ann", topics=["lungs", "heart"])
    await make_edition(database, by=by(theme))
    relay = ScriptedRelay()
    await send(database, relay, clock)
    assert "weekly, Heart and Lung health</p>" in html_of(relay.taken[0].data)


@pytest.mark.parametrize("trouble", [DOUBT, LOST, LATER], ids=["doubt", "lost", "later"])
async def test_a_second_copy_is_the_first_byte_for_byte_also_where_the_theme_changed_meanwhile(
    database, clock, theme, trouble
):
    await planned(database, theme, ann="Ann")
    write(theme, "Edited {{ broken")
    relay = ScriptedRelay(lambda _mail: trouble)
    await send(database, relay, clock)
    clock.move(hours=2)
    (theme / "email/digest/body.html").unlink()
    relay.script = ScriptedRelay().script
    await send(database, relay, clock)
    first, second = relay.offered
    assert message_id(first) == message_id(second)
    assert first.data == second.data
    assert "Dear Ann" in html_of(second.data)


async def test_a_name_with_markup_or_template_in_it_is_shown_and_never_run(database, clock, theme):
    await planned(database, theme, ann="<script>alert(1)</script>{{ 7 * 7 }}{% raise %}")
    relay = ScriptedRelay()
    await send(database, relay, clock)
    html = html_of(relay.taken[0].data)
    assert "Dear &lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}{% raise %}" in html
    assert "<script>" not in html


async def test_a_theme_that_fails_on_one_reader_fails_for_that_one_alone(database, clock, theme):
    write(theme, GREETING + "{% block masthead %}\n{{ 1 / (reader.name | length - 2) }}{% endblock %}")
    edition = await planned(database, theme, ann="Ann", xi="Xi", bob="Bob")
    relay = ScriptedRelay()
    report = await send(database, relay, clock)
    (missed,) = report.unreached.values()
    assert (missed.address, missed.state) == ("xi@example.com", "render_failed")
    assert missed.said == f"{theme}/email/digest/body.html, line 2: division by zero."
    found = await standing(database, edition)
    assert (found["ann"], found["bob"], found["xi"].split(":")[0]) == ("accepted", "accepted", "render_failed")


async def test_only_the_readers_of_live_mails_are_looked_up(database, clock, theme, monkeypatch):
    asked, find = [], subscriber_store.by_id
    monkeypatch.setattr(subscriber_store, "by_id", lambda connection, ids: asked.append(ids) or find(connection, ids))
    await publish(database, "a")
    await join(database, "ann", "bob")
    await make_edition(database)
    await send(database, ScriptedRelay(), clock)
    assert asked == []
    clock.move(days=7)
    await publish(database, "b", published=clock.now - timedelta(days=1))
    await make_edition(database, now=clock.now, by=by(theme))
    await send(database, ScriptedRelay(), clock, connections=1)
    assert [len(ids) for ids in asked] == [2]


async def test_permits_do_not_get_old_while_others_render(database, clock, theme, monkeypatch):
    names = [f"reader{number}" for number in range(12)]
    edition = await planned(database, theme, **{name: name for name in names})
    monkeypatch.setattr(permits, "STALE", 0.15)
    slow = Press.write
    monkeypatch.setattr(Press, "write", lambda *given: (sleep(0.04), slow(*given))[1])
    relay = ScriptedRelay()
    await send(database, relay, clock, connections=12)
    assert set((await standing(database, edition)).values()) == {"accepted"}
    assert sorted(relay.copies.values()) == [1] * 12


async def test_a_live_edition_is_kept_in_a_format_of_its_own(database, theme):
    edition = await planned(database, theme, ann="Ann")
    (variant,) = await database.read(edition_store.variants_of, edition)
    assert variant.content[:1] == b"\x03"
    assert isinstance(unpack(variant.content), Live)
    assert variant.subject == "About b"


async def test_over_a_real_relay_two_readers_get_their_own_names(database, clock, theme):
    from mailer.smtp import Relay, RelayOptions

    await planned(database, theme, ann="Ann", bob="Bob")
    async with BadRelay(keep=True) as bad:
        options = RelayOptions(host="127.0.0.1", port=bad.port, security="none")
        await send(database, Relay(options, password="", reply_timeout=5), clock)
        await asyncio.sleep(0)
        shown = {taken.recipient: html_of(taken.data) for taken in bad.accepted}
    assert "Dear Ann," in shown["ann@example.com"]
    assert "Dear Bob," in shown["bob@example.com"]


async def test_a_reader_who_is_named_anew_before_the_run_gets_the_new_name(database, clock, theme):
    await planned(database, theme, ann="Ann")
    await call(database, "ann", "Anne")
    relay = ScriptedRelay()
    await send(database, relay, Clock(clock.now))
    assert "Dear Anne," in html_of(relay.taken[0].data)
