"""The engines alone, in the benchmark harness of the nested package."""

import json
import os
import pathlib
import subprocess

from timing import Failed

HERE = pathlib.Path(__file__).resolve().parent.parent


def run(shop):
    """Runs every micro-benchmark; its own table is the result."""
    result = subprocess.run(
        ["swift", "package", "--package-path", str(HERE), "--disable-sandbox", "benchmark",
         "--format", "markdown", "--no-progress", "--quiet"],
        text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(shop.scratch)})
    if result.returncode:
        raise Failed(f"swift package benchmark: {result.stderr[-800:]}")
    start = result.stdout.find("##")
    return {"title": "Engines alone", "results": {}, "failed": {}, "claims": [],
            "text": result.stdout[max(start, 0):].strip()}
