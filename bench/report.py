"""Write README.md and delivery.svg beside this file, from what was measured and the words of README.tmpl.md."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from figures import CHAOS, FIGURES, RESULTS, Figure, load
from plot import draw, short

HERE = Path(__file__).parent
UNKNOWN = "not measured yet"


def row(figure: Figure, found: Mapping[str, Any] | None) -> str:
    """One line of the table."""
    if found is None:
        return f"| {figure.title} | | | | {figure.asked} | {UNKNOWN} | |"
    ratios = found["ratios"]
    met = sum(figure.reached(ratio) for ratio in ratios)
    said = {len(ratios): "yes", 0: "no"}.get(met, f"in {met} of {len(ratios)} rounds")
    shown = " | ".join(short(ratio) for ratio in (min(ratios), median(ratios), max(ratios)))
    return f"| {figure.title} | {shown} | {figure.asked} | {said} | {found['details']} |"


def chaos_rows(file: Path) -> list[str]:
    """What `make chaos` left: kills, lost, extra copies in all and at most in one kill, K."""
    if not file.exists():
        unknown = f"{UNKNOWN}: `make chaos`"
        return [f"| duplicates of one kill | | | | ≤ K | {unknown} | |", f"| lost | | | | 0 | {unknown} | |"]
    found = json.loads(file.read_text(encoding="utf-8"))
    kills, worst, permits, lost = (found[name] for name in ("kills", "worst_kill", "permits", "lost"))
    each = found["extra_copies"] / kills
    return [
        (
            f"| duplicates of one kill | | {each:.2f} on average | {worst} | ≤ K = {permits} | "
            f"{'yes' if worst <= permits else 'no'} | {kills:,} kills |"
        ),
        f"| lost | | | {lost} | 0 | {'no' if lost else 'yes'} | {kills:,} kills |",
    ]


def table(results: Mapping[str, Any], chaos: Path) -> str:
    """All that is asked, measured or not."""
    head = ["| measure | min | median | max | asked | reached | counts |", "|---|---|---|---|---|---|---|"]
    return "\n".join([*head, *(row(one, results.get(one.name)) for one in FIGURES), *chaos_rows(chaos)])


def machines(results: Mapping[str, Any]) -> str:
    """On what it was taken, and which figures, where there were several."""
    kinds: dict[str, list[str]] = {}
    for name, found in results.items():
        kinds.setdefault(found["machine"], []).append(name)
    if len(kinds) == 1:
        return f"Taken on {next(iter(kinds))}."
    return (
        "\n".join(f"- {', '.join(names)}: taken on {kind}." for kind, names in kinds.items())
        or "Taken on: nothing yet."
    )


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--chaos", type=Path, default=CHAOS)
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the two files")
    wanted = parser.parse_args()
    results = load(wanted.results)
    rows = [(figure, results[figure.name]["ratios"]) for figure in FIGURES if figure.name in results]
    plot = wanted.out / "delivery.svg"
    if rows:
        plot.write_text(draw(rows), encoding="utf-8")
    page = (HERE / "README.tmpl.md").read_text(encoding="utf-8").partition("-->\n")[2]
    fill = {"table": table(results, wanted.chaos), "machines": machines(results)}
    fill["plot"] = "![What was found, beside what was asked](delivery.svg)" if rows else ""
    for name, text in fill.items():
        page = page.replace("{{ " + name + " }}", text)
    (wanted.out / "README.md").write_text(page, encoding="utf-8")
    print(f"README.md written, {len(rows)} of {len(FIGURES)} figures measured.")


if __name__ == "__main__":
    main()
