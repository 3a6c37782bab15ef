"""The plot of the figures: a bar for each, as long as its ratio stands to what was asked; the line is what was asked.

Where less is better the bar is turned round (asked ÷ found), so that past the line is always better.
"""

from collections.abc import Sequence
from html import escape
from statistics import median

from figures import Figure

WIDTH, LEFT, RIGHT, TOP, ROW = 760, 250, 150, 56, 40
MOST = 2.5
"""Times what was asked; a longer bar is cut and ends in a point."""

STYLE = """
text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}
.ground{fill:#fff;stroke:#d1d9e0}.title{font-weight:600;font-size:15px}.soft{fill:#59636e;font-size:12px}
.grid{stroke:#e4e8ec}.met{fill:#2f7d6d}.short{fill:#b7791f}.whisker{stroke:#1f2328;stroke-width:1.5}
.line{stroke:#c2255c;stroke-width:2}.asked{fill:#c2255c;font-size:12px}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.ground{fill:#0d1117;stroke:#30363d}.soft{fill:#9198a1}.grid{stroke:#21262d}
.met{fill:#3fa28e}.short{fill:#d29922}.whisker{stroke:#e6edf3}.line{stroke:#f783ac}.asked{fill:#f783ac}}
""".strip()


def draw(rows: Sequence[tuple[Figure, Sequence[float]]]) -> str:
    """The whole SVG."""
    height = TOP + ROW * len(rows) + 34
    bottom = height - 30
    title = "What was found, beside what was asked"
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'role="img" aria-label="{title}">'
        ),
        f"<style>{STYLE}</style>",
        f'<rect class="ground" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
        f'<text class="title" x="20" y="30">{title}</text>',
    ]
    for tick in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5):
        parts.append(f'<path class="grid" d="M{_at(tick)} {TOP - 6}V{bottom}"/>')
        parts.append(f'<text class="soft" x="{_at(tick)}" y="{bottom + 17}" text-anchor="middle">{tick:g}×</text>')
    for number, (figure, ratios) in enumerate(rows):
        parts += _row(figure, ratios, TOP + ROW * number)
    parts.append(f'<path class="line" d="M{_at(1)} {TOP - 8}V{bottom}"/>')
    parts.append(f'<text class="asked" x="{_at(1)}" y="{TOP - 13}" text-anchor="middle">asked</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(figure: Figure, ratios: Sequence[float], top: int) -> list[str]:
    middle = median(ratios)
    found = sorted(_share(figure, ratio) for ratio in (min(ratios), middle, max(ratios)))
    least, bar, most = found
    y, end = top + 20, _at(bar)
    shape = f"M{LEFT} {top + 9}H{end}V{top + 31}H{LEFT}Z"
    if bar > MOST:
        shape = f"M{LEFT} {top + 9}H{end - 9}L{end} {y}L{end - 9} {top + 31}H{LEFT}Z"
    kind = "met" if figure.reached(middle) else "short"
    parts = [
        f'<text x="{LEFT - 12}" y="{y + 5}" text-anchor="end">{escape(figure.short)}</text>',
        f'<path class="{kind}" d="{shape}"/>',
        (
            f'<text x="{WIDTH - RIGHT + 16}" y="{y + 5}">{short(middle)} '
            f'<tspan class="soft">asked {figure.asked}</tspan></text>'
        ),
    ]
    if least < MOST:
        ends = "".join(f"M{_at(share)} {y - 6}v12" for share in (least, most) if share <= MOST)
        parts.append(f'<path class="whisker" fill="none" d="M{_at(least)} {y}H{_at(most)}{ends}"/>')
    return parts


def short(ratio: float) -> str:
    """Three digits of it."""
    return f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"


def _share(figure: Figure, ratio: float) -> float:
    return ratio / figure.reach if figure.higher else figure.reach / ratio


def _at(share: float) -> float:
    """Where on the axis, at most at its end."""
    return round(LEFT + min(share, MOST) / MOST * (WIDTH - LEFT - RIGHT), 1)
