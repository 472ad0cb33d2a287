"""results.svg: a bar for each contender, with its spread."""

from html import escape

from report import number
from timing import column, median

WIDTH, LABEL, BAR, GAP = 860, 290, 18, 6
SHOWN = ["image", "flat", "root", "change"]


def svg(kept, order):
    parts, y = [], 10
    for name in order:
        case = kept["cases"].get(name)
        if name in SHOWN and case and case["results"]:
            panel, y = bars(case["title"], case["results"], y)
            parts += panel
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}"'
            f' viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="13">\n'
            f'<rect width="{WIDTH}" height="{y}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")


def bars(title, results, y):
    """One panel, on a scale of its own."""
    parts = [f'<text x="10" y="{y + 16}" font-weight="bold">{escape(title)}, seconds</text>']
    y += 28
    longest = max(max(column(runs)) for runs in results.values())
    scale = (WIDTH - LABEL - 90) / longest
    for name, runs in results.items():
        values = column(runs)
        middle, least, most = median(values), min(values), max(values)
        colour = "#9aa5b1" if is_peer(name, results) else "#1f6feb"
        centre, end = y + BAR / 2, LABEL + most * scale
        parts += [
            f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{middle * scale:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<path d="M{LABEL + least * scale:.1f} {centre}H{end:.1f}" stroke="#24292f"/>',
            f'<text x="{end + 6:.1f}" y="{y + 14}">{number(middle)}</text>',
        ]
        y += BAR + GAP
    return parts, y + 16


def is_peer(name, results):
    """Whether others' work: where some are named ours, all the rest."""
    if any(other.startswith("ours") for other in results):
        return not name.startswith("ours")
    return name.startswith("plain copy")
