"""The engines alone, in the benchmark harness of the nested package."""

import os
import pathlib
import subprocess

from timing import Failed

HERE = pathlib.Path(__file__).resolve().parent.parent


def run(shop):
    """Runs every micro-benchmark; its own tables are the result."""
    short = {"BENCHMARK_SHORT": "1"} if shop.short else {}
    result = subprocess.run(
        ["swift", "package", "--package-path", str(HERE), "--disable-sandbox", "benchmark",
         "--no-progress", "--format", "markdown", "--grouping", "metric"],
        text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **short, "TMPDIR": str(shop.scratch)})
    if result.returncode:
        raise Failed(f"swift package benchmark: {result.stderr[-800:]}")
    # A table for each metric, behind a title and the machine's name.
    start = result.stdout.find("### ")
    if start < 0:
        raise Failed(f"swift package benchmark gave no tables: {result.stdout[-800:]}")
    return {"title": "Engines alone", "results": {}, "failed": {}, "claims": [],
            "text": result.stdout[start:].strip()}
