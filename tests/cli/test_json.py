"""Under --json, standard output carries one document and nothing else (semantics.md, Output)."""

import pytest
import typer.main

from mailer.cli import app
from tests.cli.site import INIT, MONDAY, Site, rss

WELL = {
    "init": ("--config", "other.toml", *INIT),
    "upgrade": ("upgrade",),
    "config check": ("config", "check"),
    "feeds add": ("feeds", "add", "feed.xml"),
    "feeds list": ("feeds", "list"),
    "feeds remove": ("feeds", "remove", "1"),
    "feeds poll": ("feeds", "poll"),
    "feeds accept": ("feeds", "accept", "1"),
    "feeds refuse": ("feeds", "refuse", "1"),
    "feeds import": ("feeds", "import", "feeds.opml"),
    "feeds export": ("feeds", "export", "--out", "out.opml"),
    "articles import": ("articles", "import", "articles.json"),
    "articles list": ("articles", "list"),
    "articles show": ("articles", "show", "1"),
    "articles hide": ("articles", "hide", "1"),
    "articles unhide": ("articles", "unhide", "1"),
    "articles pin": ("articles", "pin", "1"),
    "articles unpin": ("articles", "unpin", "1"),
    "subscribers add": ("subscribers", "add", "new@example.com", "--cadence", "daily", "--confirmed", "--consent", "x"),
    "subscribers set": ("subscribers", "set", "ann@example.com", "--cadence", "daily"),
    "subscribers import": ("subscribers", "import", "readers.csv", "--confirmed", "--consent", "x"),
    "subscribers list": ("subscribers", "list"),
    "subscribers show": ("subscribers", "show", "ann@example.com"),
    "subscribers remove": ("subscribers", "remove", "ann@example.com"),
    "subscribers export": ("subscribers", "export", "out.csv"),
    "subscribers consent": ("subscribers", "consent", "ann@example.com"),
    "subscribers allow": ("subscribers", "allow", "bob@example.com", "--consent", "x"),
    "subscribers erase": ("subscribers", "erase", "ann@example.com", "--yes"),
    "send": ("send", "--cadence", "weekly", "--now", MONDAY),
    "preview": ("preview", "--cadence", "weekly", "--now", MONDAY),
    "lint": ("lint", "--cadence", "weekly", "--now", MONDAY),
    "editions list": ("editions", "list"),
    "editions show": ("editions", "show", "1"),
    "editions send": ("editions", "send", "1"),
    "editions skip": ("editions", "skip", "3"),
    "editions pause": ("editions", "pause", "2"),
    "editions resume": ("editions", "resume", "2"),
    "editions cancel": ("editions", "cancel", "2"),
    "editions draft": ("editions", "draft", "--cadence", "weekly", "--intro", "Hello", "--now", MONDAY),
    "deliveries list": ("deliveries", "list"),
    "deliveries resolve": ("deliveries", "resolve", "3", "accepted"),
    "verify": ("verify",),
    "status": ("status",),
    "signups release": ("signups", "release"),
    "signups discard": ("signups", "discard"),
    "keys list": ("keys", "list"),
    "keys rotate": ("keys", "rotate"),
    "dkim generate": ("dkim", "generate"),
    "templates list": ("templates", "list"),
    "templates eject": ("templates", "eject", "goodbye"),
    "templates check": ("templates", "check"),
    "messages check": ("messages", "check"),
}
WRONG = {
    "init": ("--config", "other.toml", "init", "--url", "x"),
    "feeds add": ("feeds", "add", "nothing.xml"),
    "feeds remove": ("feeds", "remove", "9"),
    "feeds accept": ("feeds", "accept", "9"),
    "feeds refuse": ("feeds", "refuse", "9"),
    "feeds import": ("feeds", "import", "feed.xml"),
    "feeds export": ("feeds", "export"),
    "articles import": ("articles", "import", "nothing.json"),
    "articles show": ("articles", "show", "9"),
    "articles hide": ("articles", "hide", "9"),
    "articles pin": ("articles", "pin", "x"),
    "subscribers add": ("subscribers", "add", "x", "--cadence", "daily", "--confirmed", "--consent", "x"),
    "subscribers set": ("subscribers", "set", "no@example.com", "--cadence", "daily"),
    "subscribers import": ("subscribers", "import", "readers.csv", "--confirmed"),
    "subscribers list": ("subscribers", "list", "--limit", "0"),
    "subscribers show": ("subscribers", "show", "no@example.com"),
    "subscribers remove": ("subscribers", "remove", "no@example.com"),
    "subscribers export": ("subscribers", "export", "."),
    "subscribers consent": ("subscribers", "consent", "no@example.com"),
    "subscribers allow": ("subscribers", "allow", "ann@example.com", "--consent", "x"),
    "subscribers erase": ("subscribers", "erase", "ann@example.com"),
    "send": ("send", "--cadence", "hourly"),
    "preview": ("preview",),
    "lint": ("lint", "nothing.eml"),
    "editions show": ("editions", "show", "9"),
    "editions send": ("editions", "send", "9"),
    "editions skip": ("editions", "skip", "1"),
    "editions draft": ("editions", "draft", "--cadence", "weekly", "--order", "1,9"),
    "dkim generate": ("dkim", "generate", "--domain", "no domain"),
    "editions pause": ("editions", "pause", "1"),
    "editions resume": ("editions", "resume", "1"),
    "editions cancel": ("editions", "cancel", "1"),
    "deliveries list": ("deliveries", "list", "--state", "lost"),
    "deliveries resolve": ("deliveries", "resolve", "1", "again"),
    "status": ("status", "--watch"),
    "no such command": ("frobnicate",),
    "no such option": ("verify", "--nope"),
}
BEFORE = {"editions resume": ("editions", "pause", "2")}
SILENT = {"config example", "demo", "serve"}
"""A text that is shown as it is; and those with tests of their own."""


@pytest.fixture
def busy(site, relay, publisher) -> Site:
    """A site with something to show everywhere."""
    site.publish("one")
    site.join("ann", "bob")
    site.write("feed.xml", rss(("f", "")))
    site.did("feeds", "add", "feed.xml")
    publisher.pages["/f"] = (200, rss(("f", "")))
    site.write("feeds.opml", f'<opml version="2.0"><body><outline xmlUrl="{publisher.url("/f")}"/></body></opml>')
    site.did("send", "--cadence", "weekly", "--now", MONDAY)
    site.join("eve", "fay", cadence="monthly")
    site.did("send", "--cadence", "monthly", "--now", MONDAY, "--limit", "1")
    site.ask("UPDATE deliveries SET state = 'in_doubt', doubts = 1 WHERE edition_id = 2 AND state = 'accepted'")
    site.join("dan", cadence="daily")
    site.publish({"id": "two", "published": "2026-11-23T05:00Z"})
    site.ask("UPDATE articles SET storm = 1 WHERE guid = 'two'")
    assert site.run("send", "--cadence", "daily", "--now", MONDAY).code == 1  # held
    site.ask("UPDATE subscribers SET state = 'complained' WHERE email = 'bob@example.com'")
    return site


def test_the_table_has_every_command():
    group = typer.main.get_command(app)
    named = set()
    for name, command in group.commands.items():
        named |= {f"{name} {below}" for below in command.commands} if hasattr(command, "commands") else {name}

    assert named == WELL.keys() | SILENT


@pytest.mark.parametrize("command", WELL)
def test_a_command_that_goes_well_is_one_document(busy, command):
    if command in BEFORE:
        busy.did(*BEFORE[command])

    ended = busy.run(*WELL[command], "--json")

    assert ended.code == 0, ended.all
    assert isinstance(ended.json, dict | list)
    assert ended.err == ""


@pytest.mark.parametrize("command", WRONG)
def test_a_command_that_goes_wrong_is_one_document_with_the_error(busy, command):
    ended = busy.run(*WRONG[command], "--json")

    assert ended.code in (1, 2)
    assert ended.json.keys() == {"error"}
    assert ended.json["error"].splitlines()[0] in ended.err
    assert "Traceback" not in ended.err
