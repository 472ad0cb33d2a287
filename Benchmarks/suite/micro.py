"""The engines alone, in the benchmark harness of the nested package."""

import os
import pathlib
import subprocess

from timing import Failed

HERE = pathlib.Path(__file__).resolve().parent.parent


def run(shop):
    """Runs every micro-benchmark; its own tables are the result."""
    result = subprocess.run(
        ["swift", "package", "--package-path", str(HERE), "--disable-sandbox", "benchmark",
         "--no-progress"],
        text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(shop.scratch)})
    if result.returncode:
        raise Failed(f"swift package benchmark: {result.stderr[-800:]}")
    tables = result.stdout[result.stdout.find("Baseline"):].strip()
    return {"title": "Engines alone", "results": {}, "failed": {}, "claims": [],
            "text": f"```text\n{tables}\n```"}
