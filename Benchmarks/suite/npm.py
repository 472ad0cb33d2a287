"""Installing command line tools of npm from a warm store, against `npm ci` from its warm cache."""

import json
import os

import registry
from claims import claim
from timing import output

TOOLS = ["@anthropic-ai/claude-code", "@openai/codex", "@google/gemini-cli"]
OURS, THEIRS = "ours, from the store", "npm ci, from its cache"


def run(shop):
    title = "Installing three tools of npm"
    if not shop.has("npm", "node"):
        return {"title": title, "results": {}, "failed": {"npm": "there is no npm"}, "claims": []}
    results = {OURS: [], THEIRS: []}
    # Native programs with the bytes of a real one: ours.
    with registry.Registry(program=shop.program.read_bytes(), size=(4 if shop.short else 192) << 20,
                           libraries=10 if shop.short else 120) as server:
        # In memory: on a disk both would wait for what was removed from it a moment ago.
        folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else shop.scratch
        lines = output([shop.product("InstallPair"), server.address, shop.rounds, *TOOLS],
                       env={**os.environ, "TMPDIR": str(folder)})
    for line in lines.splitlines():
        run = json.loads(line)
        results[OURS if run["name"] == "ours" else THEIRS].append(
            {key: round(run[key], 3) for key in ("wall", "cpu")})
        shop.say(f"  {run['name']}: {run['wall']:.2f} s")
    return {"title": title, "results": results, "failed": {},
            "claims": [claim("npm's tools from a warm store, against npm ci from its warm cache",
                             results[OURS], results[THEIRS], at_least=5)]}
