"""RESULTS.md from the results."""

from timing import column, median

HEAD = """# Results

Made by `Benchmarks/run`; how to read it is in [README.md](README.md), what stands in the way of goals that
were missed in [PROFILES.md](PROFILES.md).

Ours and theirs ran in turn in the same run on the same tree or packages, forwards and backwards (A B B A).
Numbers are medians, with the least and the greatest in brackets; a ratio is taken round by round, and says
how many times as long the peer took unless its line says otherwise.

![Times, ours and theirs](results.svg)
"""


def text(kept, order):
    cases = [(name, kept["cases"][name]) for name in order if name in kept["cases"]]
    parts = [HEAD, "## Goals\n", goals(cases), "## Peers\n", peer_table(kept["peers"])]
    for _, case in cases:
        parts.append(section(case))
    return "\n".join(parts).rstrip() + "\n"


def goals(cases):
    lines = ["| Claim | Measured | Goal | Reached |", "| --- | --- | --- | --- |"]
    for _, case in cases:
        for claim in case["claims"]:
            if "missing" in claim:
                lines.append(f"| {claim['text']} | {claim['missing']} | | |")
                continue
            reached = {True: "yes", False: "**no**"}.get(claim.get("reached"), "")
            lines.append(f"| {claim['text']} | {spread(claim)} | {claim.get('goal', '')} | {reached} |")
    return "\n".join(lines) + "\n"


def spread(claim):
    unit = claim["unit"]
    unit = unit if unit == "×" else " " + unit
    if claim["n"] == 1 or claim["least"] == claim["most"]:
        return f"{number(claim['median'])}{unit}"
    return (f"{number(claim['median'])}{unit} ({number(claim['least'])}–{number(claim['most'])},"
            f" n={claim['n']})")


def number(value):
    """Three significant digits, never in powers of ten."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def peer_table(peers):
    lines = ["| Peer | Version, or why it is missing |", "| --- | --- |"]
    lines += [f"| {name} | {peer['about'] or 'missing: ' + peer['reason']} |"
              for name, peer in peers.items()]
    return "\n".join(lines) + "\n"


def section(case):
    machine = case["machine"]
    lines = [f"## {case['title']}\n",
             f"{case['date']}, load {case['load'][0]:g} before and {case['load'][1]:g} after, revision"
             f" {machine['revision']}; {machine['processors']}, {machine['memory']},"
             f" {machine['system']}; {machine['swift']}.\n"]
    if case["results"]:
        lines += [table(case["results"])]
    lines += [f"- {name} failed: {reason}" for name, reason in case["failed"].items()]
    lines += [f"- {note}" for note in case.get("notes", [])]
    if "text" in case:
        lines += [case["text"], ""]
    return "\n".join(lines)


def table(results):
    """A row for each contender: time, processor time, memory, and what else it told."""
    marks = []
    for runs in results.values():
        marks += [key for run in runs for key in run if key not in ("wall", "cpu", "rss")]
    marks = list(dict.fromkeys(marks))
    lines = ["| | Time, s | Processor, s | Memory, MiB |" + "".join(f" {mark} |" for mark in marks),
             "| --- | --- | --- | --- |" + " --- |" * len(marks)]
    for name, runs in results.items():
        cells = [cell(runs, "wall"), cell(runs, "cpu"), cell(runs, "rss")]
        cells += [cell(runs, mark, brief=True) for mark in marks]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cell(runs, field, brief=False):
    values = column(runs, field)
    if field == "rss":
        values = [value / (1 << 20) for value in values]
    if not values:
        return ""
    middle = number(median(values))
    if brief or len(values) == 1:
        return middle
    return f"{middle} ({number(min(values))}–{number(max(values))})"
