import asyncio
import re
import smtplib
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP

import httpx
import pytest

from mailer.demo.inbox import Inbox
from mailer.demo.inbox_page import serve_inbox
from mailer.demo.letter import preview, read_letter

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
HTML = """<!doctype html><html><head><style>
@media (prefers-color-scheme: dark) and (max-width: 620px) { p { color: #FFFFFF !important } }
@media (prefers-color-scheme:light) { p { color: #000000 } }
</style></head><body><h1>Mia's Feed</h1><p>Hello, <a href="http://127.0.0.1:9/x">read on</a></p></body></html>"""


@pytest.fixture
async def inbox():
    clock = iter(NOW + timedelta(seconds=i) for i in range(100_000))
    box = Inbox(clock=lambda: next(clock))
    await box.start()
    yield box
    await box.stop()


def digest(subject: str = "A third of patients", cadence: str = "weekly") -> bytes:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "Mia's Feed <digest@mias-feed.example>"
    mail["To"] = "ada@readers.example"
    mail["Subject"] = subject
    mail["Feedback-ID"] = f"7:{cadence}:digest:miasfeed"
    mail.set_content("Mia's Feed\n\n.A line that begins with a dot\n")
    mail.add_alternative(HTML, subtype="html")
    return mail.as_bytes()


async def send(inbox: Inbox, *mails: bytes, to: str = "ada@readers.example") -> None:
    def deliver():
        with smtplib.SMTP("127.0.0.1", inbox.port, timeout=10) as client:
            for mail in mails:
                client.sendmail("bounce@mias-feed.example", [to], mail)

    await asyncio.to_thread(deliver)


async def look(inbox: Inbox, *paths: str) -> list[httpx.Response]:
    def fetch(url):
        with httpx.Client(base_url=url, trust_env=False, verify=False) as client:
            return [client.get(path) for path in paths]

    with serve_inbox(inbox, site_url="http://127.0.0.1:9") as server:
        return await asyncio.to_thread(fetch, server.url)


async def test_a_mail_is_kept_byte_for_byte_with_its_envelope_and_time(inbox):
    await send(inbox, digest())
    (mail,) = inbox.messages
    assert mail.data == digest_like(mail.data)
    assert (mail.id, mail.sender, mail.recipients) == (1, "bounce@mias-feed.example", ("ada@readers.example",))
    assert mail.received_at == NOW
    assert mail.cadence == "weekly"
    assert inbox.find(1) == mail
    assert inbox.find(2) is None


def digest_like(data: bytes) -> bytes:
    """The digest with the boundary that this one was given."""
    mine = digest()
    return mine.replace(boundary_of(mine), boundary_of(data))


def boundary_of(data: bytes) -> bytes:
    return re.search(rb'boundary="([^"]+)"', data)[1]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"Subject: x\r\n\r\n..dot\r\n...\r\nend.\r\n.\r\n", b"Subject: x\r\n\r\n.dot\r\n..\r\nend.\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"a" * 200_000 + b"\r\n.\r\n", b"a" * 200_000 + b"\r\n"),
        (b"bare\n.\nfeeds\r.\rare content\r\n.\r\n", b"bare\n.\nfeeds\r.\rare content\r\n"),
    ],
)
@pytest.mark.parametrize("cut", [1, 3, 70_000])
async def test_a_message_ends_at_its_lone_dot_however_it_is_cut_into_packets(inbox, sent, kept, cut):
    reader, writer = await asyncio.open_connection("127.0.0.1", inbox.port)
    for command in (b"", b"EHLO me", b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@x.example>", b"DATA"):
        writer.write(command + b"\r\n" if command else b"")
        while (await reader.readline())[3:4] == b"-":
            pass
    step = max(cut, len(sent) // 50)
    for at in range(0, len(sent), step):
        writer.write(sent[at : at + step])
        await writer.drain()
        await asyncio.sleep(0)
    assert (await reader.readline()).startswith(b"250 ")
    writer.write(b"QUIT\r\n")
    assert (await reader.readline()).startswith(b"221 ")
    writer.close()
    await writer.wait_closed()
    assert [mail.data for mail in inbox.messages] == [kept]


async def test_a_mail_that_is_too_big_is_refused_and_the_next_one_is_taken(inbox):
    def deliver():
        with smtplib.SMTP("127.0.0.1", inbox.port, timeout=30) as client:
            client.ehlo()
            client.esmtp_features.pop("size")
            with pytest.raises(smtplib.SMTPDataError, match="552"):
                client.sendmail("a@x.example", ["b@x.example"], b"a" * 70 + b"\r\n" + b"b" * 11_000_000)
            client.sendmail("a@x.example", ["b@x.example"], digest())

    await asyncio.to_thread(deliver)
    assert inbox.total == 1


async def test_commands_out_of_order_are_refused(inbox):
    def talk():
        with smtplib.SMTP("127.0.0.1", inbox.port, timeout=10) as client:
            before = client.docmd("DATA")[0]
            client.ehlo()
            return before, client.docmd("DATA")[0], client.docmd("RCPT", "TO:<b@x.example>")[0]

    assert await asyncio.to_thread(talk) == (503, 503, 503)


async def test_the_newest_are_kept_and_all_are_counted():
    box = Inbox(clock=lambda: NOW, keep=5)
    await box.start()
    await send(box, *(digest(f"Number {i}") for i in range(1, 13)))
    await box.stop()
    assert box.total == 12
    assert [mail.id for mail in box.messages] == [8, 9, 10, 11, 12]
    assert box.find(8).id == 8
    assert box.find(7) is None
    (page,) = await look(box, "/")
    assert "12 mails" in page.text
    assert "The newest 5 are kept" in page.text


async def test_big_mails_push_older_ones_out():
    box = Inbox(clock=lambda: NOW, keep_bytes=250_000)
    await box.start()
    await send(box, *(b"Subject: x\r\n\r\n" + b"a" * 99_000 + b"\r\n",) * 4)
    await box.stop()
    assert [mail.id for mail in box.messages] == [3, 4]


async def test_stopping_hangs_up_and_leaves_no_task_behind():
    before = asyncio.all_tasks()
    box = Inbox(clock=lambda: NOW)
    await box.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", box.port)
    assert (await reader.readline()).startswith(b"220 ")
    await box.stop()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    assert asyncio.all_tasks() == before
    await box.stop()


async def test_the_page_lists_a_mail_and_shows_it_in_four_ways(inbox):
    await send(inbox, digest())
    paths = ("/", "/mails/1", "/mails/1?view=text", "/mails/1?view=headers", "/mails/1?view=source", "/mails/1.eml")
    front, html, text, headers, source, raw = await look(inbox, *paths)
    assert all(page.status_code == 200 for page in (front, html, text, headers, source, raw))
    for shown in ("A third of patients", "ada@readers.example", "Mia&#39;s Feed", "weekly", 'href="/mails/1"'):
        assert shown in front.text
    assert "<iframe" in html.text
    assert ".A line that begins with a dot" in text.text
    assert "7:weekly:digest:miasfeed" in headers.text
    assert "Content-Transfer-Encoding" in source.text
    assert raw.content == inbox.messages[0].data
    assert raw.headers["Content-Disposition"] == 'attachment; filename="mail-1.eml"'


async def test_the_list_can_be_narrowed_to_a_cadence_and_turned_page_by_page(inbox):
    await send(inbox, *(digest(f"Daily {i}", "daily") for i in range(60)), digest("Weekly 1"))
    front, daily, second, nothing, odd = await look(
        inbox, "/", "/?cadence=daily", "/?cadence=daily&page=2", "/?cadence=hourly", "/?page=-1x"
    )
    assert front.text.index("Daily <span") < front.text.index("Weekly <span")
    assert daily.text.count('<td class="subject">') == 50
    assert "Weekly 1" not in daily.text
    assert second.text.count('<td class="subject">') == 10
    assert 'href="/?cadence=daily"' in second.text
    assert "No mail of this cadence" in nothing.text
    assert odd.text == front.text


async def test_the_frame_is_sandboxed_by_the_page_and_by_its_own_header(inbox):
    await send(inbox, digest())
    page, frame = await look(inbox, "/mails/1?scheme=dark&width=phone", "/mails/1/frame?scheme=dark")
    (tag,) = re.findall(r"<iframe[^>]*>", page.text)
    (sandbox,) = re.findall(r'sandbox="([^"]*)"', tag)
    assert 'src="/mails/1/frame?scheme=dark"' in tag
    assert 'class="phone dark"' in tag
    policy = frame.headers["Content-Security-Policy"]
    assert "script-src 'none'" in policy
    assert "default-src 'none'" in policy
    for allowed in (sandbox, policy):
        assert "allow-scripts" not in allowed
        assert "allow-same-origin" not in allowed
        assert "allow-forms" not in allowed
    assert "sandbox allow-popups" in policy
    assert "script" not in page.text


@pytest.mark.parametrize(
    ("scheme", "dark", "light"),
    [("dark", "(min-width: 0)", "(max-width: 0)"), ("light", "(max-width: 0)", "(min-width: 0)")],
)
def test_a_preview_answers_the_colour_scheme_and_keeps_the_rest_of_the_query(scheme, dark, light):
    shown = preview(HTML, scheme)
    assert f"@media {dark} and (max-width: 620px)" in shown
    assert f"@media {light} {{" in shown
    assert f"color-scheme: {scheme} !important" in shown
    assert shown.startswith("<!doctype html><html><head><base")


@pytest.mark.parametrize(
    ("html", "before"),
    [
        ("<html lang=en><body>x", "<html lang=en>"),
        ("<!DOCTYPE html><p>x", "<!DOCTYPE html>"),
        ("<header>x</header>", ""),
        ("", ""),
    ],
)
def test_a_preview_never_stands_before_the_doctype(html, before):
    shown = preview(html, "light")
    assert shown.startswith(before + "<base")
    assert shown.endswith(html.removeprefix(before))


async def test_an_empty_inbox_says_what_will_come(inbox):
    front, missing = await look(inbox, "/", "/mails/1")
    assert "No mail yet" in front.text
    assert missing.status_code == 404
    assert "No mail has come yet" in missing.text


HOSTILE = {
    "script in every field": b"From: <script>alert(1)</script> <a@x.example>\r\nTo: <script>\r\nSubject: "
    b"<script>alert(2)</script>\r\n<script>: y\r\nContent-Type: text/html\r\n\r\n<script>alert(3)</script><p>hello\r\n",
    "script in an encoded word": b"Subject: =?utf-8?b?PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==?=\r\n\r\nx\r\n",
    "broken encoded words": b"Subject: =?utf-8?b?!!!?= =?nope?q?a?= =?utf-8?q?=ff=fe?= =?utf-7?b?K1lH?=\r\n\r\nx\r\n",
    "no header": b"\r\n\r\n\r\n",
    "no colon": b"this is not a header\r\n\r\nx\r\n",
    "nul and controls": b"Subject: a\0b\x1b[31m\r\nFrom: \0\r\n\r\n\0\0\r\n",
    "eight bits": b"Subject: \xff\xfe\xe9\r\nFrom: \xe9 <\xe9@x.example>\r\n\r\n\xff\r\n",
    "bad charsets": b"Content-Type: text/html; charset=hex\r\n\r\n<p>x\r\n",
    "punycode": b"Content-Type: text/plain; charset=punycode\r\n\r\n\xff\xfe-\xff\r\n",
    "bad type": b'Content-Type: ;;;="\r\nContent-Disposition: ; ;\r\nContent-Transfer-Encoding: ???\r\n\r\nx\r\n',
    "multipart without end": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: text/html\r\n\r\n<b>x",
    "multipart without parts": b'Content-Type: multipart/alternative; boundary=""\r\n\r\n',
    "very deep": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(1_200)
    ),
    "message in message": b"Content-Type: message/rfc822\r\n\r\n" * 500,
    "odd addresses": b'From: "\\" <@,;:>\r\nTo: (((((((\r\nCc: a:b:c;;\r\nDate: never\r\nMessage-ID: <<>>\r\n\r\nx\r\n',
    "endless header": b"To: " + b"a@x.example,\r\n " * 60_000 + b"\r\nSubject: far\r\n\r\nx\r\n",
    "many headers": b"X: y\r\n" * 10_000 + b"\r\nx\r\n",
    "huge html": b"Subject: huge\r\nContent-Type: text/html\r\n\r\n" + b"<p>(prefers-color-scheme: x)\r\n" * 150_000,
    "lone surrogates": b"Content-Type: text/html; charset=utf-7\r\n\r\n+2AA-\r\n",
    "right to left": "Subject: \u202e\u2067evil\u202d\r\n\r\nx\r\n".encode(),
    "odd feedback": b"Feedback-ID: :<b>:::\r\nSubject: {{ 7*7 }}\r\n\r\n{{ 7*7 }}\r\n",
}


@pytest.mark.parametrize("mail", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_mail_breaks_no_page_and_runs_nothing(inbox, mail):
    await send(inbox, mail, digest("After it"))
    views = ("", "?view=text", "?view=headers", "?view=source", "/frame?scheme=dark", ".eml")
    front, *pages = await look(inbox, "/", *(f"/mails/1{view}" for view in views))
    assert "After it" in front.text
    assert {page.status_code for page in (front, *pages)} == {200}
    *ours, frame, raw = pages
    assert all("<script" not in page.text.lower() for page in (front, *ours))
    assert "script-src 'none'" in frame.headers["Content-Security-Policy"]
    assert raw.headers["Content-Disposition"].startswith("attachment")


async def test_a_thousand_mails_over_several_connections_are_all_taken(inbox):
    mails = [digest(f"Number {i}") for i in range(50)]
    await asyncio.gather(*(send(inbox, *mails * 5) for _ in range(4)))
    assert inbox.total == 1_000
    assert [mail.id for mail in inbox.messages] == list(range(1, 1_001))


def test_what_a_mail_says_is_decoded():
    letter = read_letter(
        b"From: =?utf-8?q?Jos=C3=A9?= <jose@x.example>\r\nSubject: =?utf-8?b?w4RyenRl?=\r\n folded\r\n"
        b"Content-Type: text/plain; charset=iso-8859-1\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n"
    )
    assert letter.field("subject") == "Ärzte folded"
    assert letter.sender == "José"
    assert letter.text == "Grüße\r\n"
    assert letter.html is None
