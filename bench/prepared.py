"""A site that has everything to send a weekly digest. Each round sends from a copy, so that all start alike."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from relays import own_relay
from spent import Spent, spend

ROOT = Path(__file__).parents[1]
MAILER = (sys.executable, "-m", "mailer")
SEND = (*MAILER, "send", "--cadence", "weekly", "--json")
INIT = (
    "init",
    "--name=Bench",
    "--url=https://site.example",
    "--from-address=digest@site.example",
    "--postal-address=1 Street, Town",
    "--smtp-host=127.0.0.1",
    "--smtp-security=none",
)
SUMMARY = (
    "Of 97 people who were treated once, 33 lived five years without a relapse, and none of them took medicine against "
    "the disease in that time. The researchers are careful with the word cure."
)


@dataclass(frozen=True, slots=True)
class Mail:
    """Which digest goes out: of so many articles, by our templates or by a theme."""

    name: str
    articles: int
    theme: Path | None = None


LARGE = Mail("30 KB", 16)
SMALL = Mail("10 KB", 8, ROOT / "docs/themes/letter")


class Prepared:
    """The site in a folder, with its readers. `imported`: what adding them took."""

    def __init__(self, folder: Path, mail: Mail, readers: int) -> None:
        self.mail, self.readers = mail, readers
        self._folder = folder / f"{mail.name.replace(' ', '')}-{readers}"
        self._folder.mkdir()
        yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        articles = [
            {
                "id": f"a{number}",
                "url": f"https://site.example/articles/{number}",
                "title": f"A third of patients live five years without relapse, study {number}",
                "summary": SUMMARY,
                "published": yesterday,
            }
            for number in range(mail.articles)
        ]
        (self._folder / "articles.json").write_text(json.dumps(articles), encoding="utf-8")
        source = self._folder / "readers.csv"
        with source.open("w", encoding="ascii") as file:
            file.write("email\n")
            # All of one length, as the mails to them are then.
            file.writelines(f"reader{number:07}@example.com\n" for number in range(readers))
        self._do(*INIT)
        self._do("articles", "import", "articles.json", "--now", yesterday)
        words = ("--cadence", "weekly", "--confirmed", "--consent", "a bench")
        self.imported = self._do("subscribers", "import", source.name, *words)
        source.unlink()
        print(f"  {readers:,} readers imported in {self.imported.seconds:.1f} s", flush=True)

    def _do(self, *words: str) -> Spent:
        return spend([*MAILER, *words], folder=self._folder, environ=self.environ(1))

    def environ(self, port: int, connections: int = 40) -> dict[str, str]:
        """What a command of this site runs with. The bench's own settings, and none of whoever runs it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
        kept |= {"PYTHONPATH": str(ROOT), "MAILER_SMTP__PORT": str(port), "MAILER_SMTP__CONNECTIONS": str(connections)}
        return kept | ({"MAILER_THEME__TEMPLATES": str(self.mail.theme)} if self.mail.theme else {})

    @contextmanager
    def copy(self) -> Iterator[Path]:
        """A folder like it, on the disk before it is handed out."""
        with tempfile.TemporaryDirectory(dir=self._folder.parent, prefix="round-") as folder:
            shutil.copytree(self._folder, folder, dirs_exist_ok=True)
            os.sync()
            yield Path(folder)

    def send(self, port: int) -> Spent:
        """The whole command in a copy. Raises SystemExit where not everyone was served."""
        with self.copy() as folder:
            spent = spend(SEND, folder=folder, environ=self.environ(port))
        sent = json.loads(spent.said)["sent"]
        if sent != self.readers:
            raise SystemExit(f"of {self.readers} messages {sent} were sent")
        return spent

    def size(self) -> int:
        """Bytes of one message as the relay gets it, headers and all, on average."""
        with own_relay() as relay, self.copy() as folder:
            spend((*SEND, "--limit", "20"), folder=folder, environ=self.environ(relay.port, 2))
            messages, size = relay.took()
        return size // messages

    def preview(self, folder: Path) -> None:
        """Write digest.html and digest.txt of one reader there."""
        words = ("preview", "--cadence", "weekly", "--as", "reader0000000@example.com", "--out", str(folder))
        self._do(*words)

    def kill_midway(self, hold: int) -> None:
        """Send here, to a relay that falls silent after so many, and be killed then: the rest waits."""
        with own_relay("--hold", str(hold)) as relay:
            process = start(self._folder, self.environ(relay.port))
            try:
                relay.line(1800, process)
            finally:
                process.kill()
                process.wait()


def start(folder: Path, environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    """`mailer send`, to be watched."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(SEND, cwd=folder, env=environ, stdout=quiet, stderr=quiet)
