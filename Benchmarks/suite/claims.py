"""What the project promises, as numbers beside a goal."""

from timing import column, median, pairs


def spread(values):
    """Median, least and greatest."""
    return {"median": round(median(values), 3), "least": round(min(values), 3),
            "most": round(max(values), 3), "n": len(values)}


def judged(text, values, unit, at_least, at_most):
    if not values:
        return {"text": text, "missing": "not measured: the peer is missing or failed"}
    found = spread(values)
    result = {"text": text, "unit": unit, **found}
    if at_least is not None:
        result |= {"goal": f"≥ {at_least:g}", "reached": found["median"] >= at_least}
    if at_most is not None:
        result |= {"goal": f"≤ {at_most:g}", "reached": found["median"] <= at_most}
    return result


def claim(text, ours, theirs, field="wall", at_least=None, at_most=None):
    """How many times as long others took as we did, round by round; their whole time, where they do not
    tell that of the part."""
    if theirs and field not in theirs[0]:
        theirs = column(theirs)
    else:
        theirs = column(theirs or [], field)
    values = pairs(column(ours, field), theirs)
    return judged(text, values, "×", at_least, at_most)


def limit(text, values, unit, at_least=None, at_most=None):
    """A number of ours beside its goal."""
    return judged(text, values, unit, at_least, at_most)
