"""`mailer subscribers consent` and `allow`; and that a bare `send` tidies."""

from tests.cli.site import MONDAY, Site

DAY = 86_400_000


def agreed(site: Site) -> None:
    """Ann came in by a form and confirmed; her IP is of the spring of 1970."""
    site.join("ann")
    site.ask("INSERT INTO consent_texts VALUES ('abc123', 'I want the digest.\nI can leave any time.', 0)")
    insert = (
        "INSERT INTO consent (subscriber_id, at, event, route, statement, detail, source, text_version, language, ip, "
        "agent, message_id) VALUES (1, ?, ?, ?, '', 'weekly', ?, ?, ?, '192.0.2.7', ?, ?)"
    )
    site.ask(insert, 100 * DAY, "asked", "page", "https://site.example/a", "abc123", "en", "Lynx", "")
    site.ask(insert, 101 * DAY, "confirmed", "link", "", "abc123", "de", "Lynx", "7.9@site.example")


def test_the_consent_record_reads_as_a_proof(site):
    agreed(site)
    out = site.did("subscribers", "consent", "Ann@example.com").out
    assert out.startswith("Consent record of ann@example.com, active now. The oldest comes first; times are UTC.\n")
    assert "  statement   asked for it\n" in out
    assert (
        "1970-04-11 00:00:00  asked, by page\n"
        "  detail      weekly\n"
        "  page        https://site.example/a\n"
        "  words read  version abc123: I want the digest. I can leave any time.\n"
        "  language    en\n"
        "  IP          192.0.2.7\n"
        "  browser     Lynx\n"
        "\n"
        "1970-04-12 00:00:00  confirmed, by link\n"
        "  detail      weekly\n"
        "  words read  version abc123\n"
        "  language    de\n"
        "  IP          192.0.2.7\n"
        "  browser     Lynx\n"
        "  mail        7.9@site.example\n"
    ) in out


def test_the_consent_record_as_json_has_everything(site):
    agreed(site)
    document = site.json("subscribers", "consent", "ann@example.com")
    assert (document["email"], document["state"]) == ("ann@example.com", "active")
    first, asked, confirmed = document["consent"]
    assert (first["event"], first["route"], first["statement"]) == ("imported", "import", "asked for it")
    assert asked == {
        "at": "1970-04-11T00:00:00Z",
        "event": "asked",
        "route": "page",
        "statement": "",
        "detail": "weekly",
        "source": "https://site.example/a",
        "text_version": "abc123",
        "text": "I want the digest.\nI can leave any time.",
        "language": "en",
        "ip": "192.0.2.7",
        "agent": "Lynx",
        "message_id": "",
    }
    assert confirmed["message_id"] == "7.9@site.example"


def test_of_somebody_unknown_it_says_one_sentence(site):
    ended = site.run("subscribers", "consent", "nobody@example.com")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "mailer: nobody@example.com is not among the subscribers, so there is no consent record.\n"


def test_what_was_lifted_is_said_and_nobody_is_subscribed(site):
    site.join("ann")
    site.ask("UPDATE subscribers SET state = 'complained'")
    why = ("--consent", "wrote on 3 May that it was a slip")
    out = site.did("subscribers", "allow", "ann@example.com", *why).out
    assert out == (
        "ann@example.com may sign up again; lifted: complained. Nobody was subscribed, and no mail is sent.\n"
    )
    assert site.json("subscribers", "show", "ann@example.com")["state"] == "unsubscribed"
    assert "wrote on 3 May that it was a slip" in site.did("subscribers", "consent", "ann@example.com").out
    again = site.run("subscribers", "allow", "ann@example.com", *why)
    assert (again.code, len(again.err.splitlines())) == (1, 1)
    blank = site.run("subscribers", "allow", "ann@example.com", "--consent", " ")
    assert (blank.code, len(blank.err.splitlines())) == (1, 1)


def test_an_erased_address_is_allowed_without_a_reader(site):
    site.join("ann")
    site.did("subscribers", "erase", "ann@example.com", "--yes")
    shown = site.json("subscribers", "allow", "ann@example.com", "--consent", "asked to come back")
    assert shown == {"email": "ann@example.com", "lifted": ["erased"], "state": None}
    site.join("ann")
    assert "erased" not in site.run("send", "--cadence", "weekly", "--now", MONDAY).err
    assert len(site.json("subscribers", "list")) == 1


def test_a_bare_send_shortens_what_is_old(site, relay):
    agreed(site)
    site.did("send", "--cadence", "weekly", "--now", MONDAY)
    assert site.ask("SELECT DISTINCT ip FROM consent WHERE ip <> ''") == [("192.0.2.7",)]
    site.did("send", "--now", MONDAY)
    assert site.ask("SELECT DISTINCT ip FROM consent WHERE ip <> ''") == [("192.0.2.0/24",)]
