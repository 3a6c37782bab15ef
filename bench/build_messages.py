"""Building personalised 30 KB messages: compiled segments beside `EmailMessage` with `as_bytes`.

Both sides make, for each reader, the whole message with their own address, Message-ID and two signed links.
"""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from time import perf_counter
from zoneinfo import ZoneInfo

from itsdangerous import Signer
from table import show

from mailer.core.delivery import Claimed
from mailer.core.message import Headers, compile_mail, slot_mark
from mailer.core.personal import Stationery
from mailer.core.tokens import key_id

KEY = "k" * 40
MARK = "abcdefghijklmnop"
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
PARAGRAPH = (
    "Of 97 people who were treated once, 33 lived five years without a relapse, and none of them took medicine "
    "against the disease in that time; “we did not expect that”, said the study’s lead.\n"
)
ROUNDS = 5
FEW, MANY = 200, 10_000


def bodies(leave: str, manage: str) -> tuple[str, str]:
    """Text and HTML of a mail of about 30 KB."""
    text = "".join(f"{number}. {PARAGRAPH}" for number in range(40)) + f"https://site.example/unsubscribe/{leave}\n"
    html = "".join(f'<p style="margin:0 0 16px">{number}. {PARAGRAPH}</p>\n' for number in range(75))
    links = f'<a href="https://site.example/unsubscribe/{leave}">Unsubscribe</a> '
    links += f'<a href="https://site.example/preferences/{manage}">Change how often</a>'
    return text, f"<!doctype html><html lang=en><body>{html}{links}</body></html>"


def compiled(count: int) -> tuple[float, int]:
    """Seconds for `count` messages from segments, and one message's size."""
    headers = Headers(
        "Mia's Feed", "d@site.example", "Mia's Feed", "d.site.example", "https://site.example", ("1", "w", "d")
    )
    text, html = bodies(slot_mark(MARK, "leave"), slot_mark(MARK, "manage"))
    mail = compile_mail(
        headers=headers, subject="One dose", html=html, text=text, mark=MARK, date=NOW, boundary="b" * 16
    )
    stationery = Stationery(sender="d@site.example", keys=(KEY,), zone=ZoneInfo("UTC"), today=NOW.date())
    size = 0
    start = perf_counter()
    for number in range(count):
        item = Claimed(
            number, 1, 1, number, 1, f"reader{number}@example.com", NOW, 0, 0, NOW, "0123456789abcdef", key_id(KEY)
        )
        size = len(stationery.write(item, mail).data)
    return perf_counter() - start, size


def with_email_message(count: int) -> tuple[float, int]:
    """The same by the standard library, the links by itsdangerous with a signer that is kept."""
    leave, manage = Signer(KEY, salt="leave"), Signer(KEY, salt="manage")
    size = 0
    start = perf_counter()
    for number in range(count):
        message = EmailMessage(policy=SMTP)
        token = leave.sign(f"{number}.1").decode()
        text, html = bodies(token, manage.sign(f"{number}.1").decode())
        message["From"] = "Mia's Feed <d@site.example>"
        message["To"] = f"reader{number}@example.com"
        message["Subject"] = "One dose"
        message["Date"] = NOW
        message["Message-ID"] = f"<{number}.0123456789abcdef@site.example>"
        message["List-Id"] = "Mia's Feed <d.site.example>"
        message["List-Unsubscribe"] = f"<https://site.example/one-click/{token}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(text, cte="quoted-printable")
        message.add_alternative(html, subtype="html", cte="quoted-printable")
        size = len(message.as_bytes())
    return perf_counter() - start, size


def main() -> None:
    """Print the table."""
    compiled(FEW)
    pairs = [(compiled(MANY), with_email_message(FEW)) for _ in range(ROUNDS)]
    ours = [seconds / MANY for (seconds, _), _ in pairs]
    theirs = [seconds / FEW for _, (seconds, _) in pairs]
    print(f"{1 / min(ours):,.0f} messages of {pairs[0][0][1]:,} bytes a second; EmailMessage {1 / min(theirs):,.0f}")
    show("seconds for one message, ours beside EmailMessage", ours, theirs, reach=">= 30", higher=True)


if __name__ == "__main__":
    main()
