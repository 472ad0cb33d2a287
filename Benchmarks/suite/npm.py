"""Installing command line tools of npm from a warm store, against `npm ci` from its warm cache."""

import json

import registry
from claims import claim
from timing import Contender, Run, contest, events, output, remove, timed, warm_memory

TOOLS = ["@anthropic-ai/claude-code", "@openai/codex", "@google/gemini-cli"]


def run(shop):
    if not shop.has("npm", "node"):
        return {"title": "npm", "results": {}, "failed": {"npm": "there is no npm"}, "claims": []}
    with registry.Registry(size=4 << 20 if shop.short else 256 << 20,
                           files=50 if shop.short else 2000) as server:
        recipe = shop.recipe("npm")
        recipe.write_text(RECIPE.format(address=server.address, tools=json.dumps(TOOLS)))
        shop.prepare("npm")
        projects = [project(shop, tool, server) for tool in TOOLS]
    # From here on there is no registry.
    contenders = [
        Contender("ours, from the store", lambda: ours(shop), lambda: warm_memory(2 << 30),
                  lambda: remove(shop.store / "images/npm")),
        Contender("npm ci, from its cache", lambda: theirs(shop, projects),
                  lambda: [remove(folder / "node_modules") for folder in projects]),
    ]
    results, failed = contest(contenders, shop.rounds, shop.say)
    remove(shop.scratch / "npm")
    return {"title": "Installing three tools of npm", "results": results, "failed": failed,
            "claims": [claim("npm's tools from a warm store, against npm ci from its warm cache",
                             results.get("ours, from the store", []),
                             results.get("npm ci, from its cache"), "install", at_least=5)]}


def ours(shop):
    """A build, and in it the time from the first tool to what follows the last one."""
    shop.forget(shop.store, "npm")
    return timed(shop.words("build", "npm", shop.store, "--offline", "--locked", "--progress", "json"),
                 marks=install_time)


def install_time(text, _):
    began = ended = None
    for event, _, subject, at in events(text):
        if event == "advanced" and subject.startswith("npm @"):
            began, ended = at if began is None else began, None
        elif event == "advanced" and began is not None and ended is None:
            ended = at
    return {"install": max(ended - began, 0.001)}


def theirs(shop, projects):
    """One `npm ci` a tool, one after the other."""
    runs = [timed(["npm", "ci", *OFFLINE, f"--cache={shop.scratch}/npm/cache"], cwd=folder)
            for folder in projects]
    wall = sum(run.wall for run in runs)
    return Run(wall, sum(run.cpu for run in runs), max(run.rss for run in runs), {"install": wall})


OFFLINE = ["--offline", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]


def project(shop, tool, server):
    """A folder in which npm has locked one tool, with all that it needs in npm's cache."""
    folder = shop.scratch / "npm" / tool.split("/")[-1]
    remove(folder)
    folder.mkdir(parents=True)
    options = [f"--registry={server.address}", f"--cache={shop.scratch}/npm/cache", *OFFLINE[1:]]
    (folder / "package.json").write_text(json.dumps({"dependencies": {tool: "*"}}))
    output(["npm", "install", "--package-lock-only", *options], cwd=folder)
    output(["npm", "ci", *options], cwd=folder)
    return folder


RECIPE = """
schema = 1
extends = ["tiny.toml"]

[image]
name = "npm"
size = "4GiB"

[npm]
packages = {tools}
registry = "{address}"
node = "20.18.0"
"""
