"""The figures of delivery: what each must reach, and how what was measured is kept for bench/README.md."""

import json
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")
CHAOS = Path(__file__).with_name("chaos.json")


@dataclass(frozen=True, slots=True)
class Figure:
    """`short` stands in the plot. `higher`: more is better, and `reach` the least; else it is the most."""

    name: str
    short: str
    title: str
    reach: float
    higher: bool

    @property
    def asked(self) -> str:
        """As the table writes it."""
        return f"{'≥' if self.higher else '≤'} {self.reach:g}"

    def reached(self, ratio: float) -> bool:
        """Whether that ratio is good enough."""
        return ratio >= self.reach if self.higher else ratio <= self.reach


FIGURES = (
    Figure("30kb", "30 KB ÷ smtp-source", "`mailer send`, 30 KB mails, ÷ `smtp-source -d`", 1.0, higher=True),
    Figure("10kb", "10 KB ÷ smtp-source", "the same with 10 KB mails", 0.8, higher=True),
    Figure("loop", "÷ a plain loop", "÷ a plain loop of EmailMessage and aiosmtplib", 10, higher=True),
    Figure(
        "cost", "cost of a message, × 100 readers", "cost of a message, 1,000,000 readers ÷ 10,000", 1.1, higher=False
    ),
    Figure("memory", "peak memory, × 100 readers", "peak memory, 1,000,000 readers ÷ 10,000", 1.5, higher=False),
    Figure(
        "restart",
        "restart, × 1,000 waiting",
        "restart to the first message, 1,000,000 waiting ÷ 1,000",
        3,
        higher=False,
    ),
    Figure("late", "relay that takes 50 ms", "relay that answers after 50 ms, ÷ 800 a second", 0.85, higher=True),
    Figure(
        "dkim", "DKIM ÷ bare signatures", "with DKIM RSA-2048, ÷ bare signatures on the same cores", 0.8, higher=True
    ),
)


def figure(name: str) -> Figure:
    """The one of that name."""
    return next(one for one in FIGURES if one.name == name)


def record(name: str, ratios: Sequence[float], details: str, *, file: Path = RESULTS) -> None:
    """Keep what one run found, instead of what an earlier one did. `details`: a sentence of the counts."""
    kept = load(file)
    found = {"ratios": [round(ratio, 4) for ratio in ratios], "details": details, "machine": _machine()}
    figure(name)  # a name that nobody shows is a mistake
    file.write_text(json.dumps(kept | {name: found}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load(file: Path = RESULTS) -> dict[str, Any]:
    """What is known; nothing where nothing was measured."""
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def _machine() -> str:
    """The kind of machine, and nothing by which to know it again."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    python = ".".join(map(str, sys.version_info[:3]))
    kernel = f"{platform.system()} {platform.release().split('-')[0]}"
    found = [f"{os.cpu_count()} cores of {model}", kernel, _file_system(), f"Python {python}"]
    return ", ".join([*found, f"SQLite {sqlite3.sqlite_version}"])


def _file_system() -> str:
    """Of the folder for throw-away data: an fsync on tmpfs costs nothing."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown file system"
    folder = Path(tempfile.gettempdir()).resolve()
    found = [line.split()[1:3] for line in mounts.read_text(encoding="utf-8").splitlines()]
    within = [(place, kind) for place, kind in found if folder.is_relative_to(place)]
    return max(within, key=lambda mount: len(mount[0]))[1]
