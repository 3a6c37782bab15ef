"""What one would write in an afternoon: an EmailMessage for each reader, sent by aiosmtplib, as a process of its own.

Each connection is a task that sends its share. The texts are those of a real digest, read from a folder. With `--same`
one message is built and sent to all, for want of smtp-source. Prints its seconds without start-up, and a message's
size.
"""

import argparse
import asyncio
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from time import perf_counter

import aiosmtplib


def build(number: int, html: str, text: str) -> EmailMessage:
    """One reader's own."""
    message = EmailMessage(policy=SMTP)
    leave = f"https://site.example/unsubscribe/{number:07}"
    message["From"] = "Bench <digest@site.example>"
    message["To"] = f"reader{number:07}@example.com"
    message["Subject"] = "A third of patients live five years without relapse"
    message["Message-ID"] = f"<{number}.0123456789abcdef@site.example>"
    message["List-Unsubscribe"] = f"<{leave}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(f"{text}\n{leave}\n")
    message.add_alternative(html.replace("</body>", f'<a href="{leave}">Unsubscribe</a></body>'), subtype="html")
    return message


async def share(port: int, numbers: range, html: str, text: str, same: EmailMessage | None) -> None:
    """What one connection sends."""
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as connection:
        for number in numbers:
            await connection.send_message(same or build(number, html, text))


async def main() -> None:
    """Send them all, and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--same", action="store_true")
    wanted = parser.parse_args()
    html, text = ((wanted.folder / f"digest.{kind}").read_text(encoding="utf-8") for kind in ("html", "txt"))
    same = build(0, html, text) if wanted.same else None
    size = len(build(0, html, text).as_bytes())
    start = perf_counter()
    shares = [range(first, wanted.count, wanted.connections) for first in range(wanted.connections)]
    await asyncio.gather(*(share(wanted.port, numbers, html, text, same) for numbers in shares))
    print(perf_counter() - start, size)


if __name__ == "__main__":
    asyncio.run(main())
