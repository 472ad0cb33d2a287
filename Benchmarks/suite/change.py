"""One change after the other on a built image: time to the next finished image, and how much of it
differs."""

import os
import re
import shutil

from claims import limit
from timing import (Contender, Failed, blocks_that_differ, column, output, remove, shell, warm_memory)

MIB = 1 << 20
# Two versions of a command line tool, the older one first.
OLD_CLI, NEW_CLI = "claude-agent-sdk==0.2.186", "claude-agent-sdk==0.2.187"


class Edits:
    """The recipe, edited step by step."""

    def __init__(self, shop):
        self.shop = shop
        self.name = "tiny" if shop.short else "golden"
        self.file = shop.recipe(self.name)
        self.original = self.file.read_text()
        self.clis = shop.recipes / "common/clis.toml"
        self.original_clis = self.clis.read_text()
        self.agent = shop.recipes / "agents/sample/sample-agent"
        self.count = 0
        self.chromium = chromium_versions()
        self.steps = {"agent changed": self.change_agent, "package added": self.add_package}
        if not shop.short:
            self.steps["CLI bumped"] = self.bump_cli
        if not shop.short and len(self.chromium) > 1:
            self.steps["Chromium bumped"] = self.bump_chromium

    def start(self):
        """The recipe before all changes: the older CLI and the older Chromium, where there are two."""
        text, clis = self.original, self.original_clis
        if "CLI bumped" in self.steps:
            clis = re.sub(r"claude-agent-sdk==[0-9.]+", OLD_CLI, clis)
        if "Chromium bumped" in self.steps:
            text = with_chromium(text, self.chromium[-1])
        self.clis.write_text(clis)
        self.file.write_text(text)
        self.file.with_suffix(".lock").unlink(missing_ok=True)

    def change_agent(self):
        self.count += 1
        with open(self.agent, "a") as file:
            file.write(f"# changed {self.count}\n")

    def bump_cli(self):
        self.clis.write_text(self.clis.read_text().replace(OLD_CLI, NEW_CLI))

    def add_package(self):
        self.file.write_text(self.file.read_text().replace(
            '"usr-is-merged"', '"usr-is-merged",\n  "tree"'))

    def bump_chromium(self):
        text = self.file.read_text()
        self.file.write_text(text.replace(self.chromium[-1], self.chromium[0]))


def chromium_versions():
    """Newest first, as apt knows them."""
    try:
        lines = output(["apt-cache", "madison", "chromium"]).splitlines()
    except Failed:
        return []
    return list(dict.fromkeys(line.split("|")[1].strip() for line in lines if "Packages" in line))


def with_chromium(text, version):
    return re.sub(r'"(chromium(-common|-sandbox)?)"', rf'"\1={version}"', text)


def run(shop):
    edits = Edits(shop)
    results = {}

    def note(name, run):
        results.setdefault(name, []).append({k: round(v, 3) for k, v in run.values().items()})
        shop.say(f"  {name}: {run.wall:.2f} s")

    # Once without counting, to fetch what all the changes need.
    chain(shop, edits, shop.store, lambda *_: None, isLast=False)
    remove(shop.store / "images")
    deltas = {}
    for number in range(shop.rounds):
        store = shop.fresh_store("changes-store")
        deltas = chain(shop, edits, store, note, isLast=number == shop.rounds - 1)
    remove(shop.scratch / "changes-store")
    change_shared_blocks(shop, edits, note)
    edits.file.write_text(edits.original)
    edits.clis.write_text(edits.original_clis)
    return {"title": f"Changes of a built image: {edits.name}", "results": results, "failed": {},
            "deltas": deltas, "claims": claims(results, deltas)}


def chain(shop, edits, store, note, isLast):
    """From nothing but debs to the last change; gives the bytes that each change changed."""
    fetches = store == shop.store
    options = ("--locked",) if fetches else ("--locked", "--offline")
    edits.start()
    shop.lock(edits.name, store)
    warm_memory(6 << 30)
    note("cold: debs only", shop.build(edits.name, store, *options))
    if not fetches:
        note("unchanged", shop.build(edits.name, store, *options))
    deltas, theirs = {}, None
    if isLast:
        theirs = peer_image(shop, store, edits.name, "before.ext4")
    for name, edit in edits.steps.items():
        old = os.path.realpath(shop.release(edits.name, store))
        edit()
        lock = shop.lock(edits.name, store)
        warm_memory(6 << 30)
        run = shop.build(edits.name, store, *options)
        run.marks["lock"] = lock.wall
        note(name, run)
        if name == "agent changed" and not fetches:
            note("plain copy of the image", copy(shop, store, edits.name))
        if isLast:
            new = os.path.realpath(shop.release(edits.name, store))
            after = peer_image(shop, store, edits.name, "after.ext4")
            deltas[name] = {"ours": blocks_that_differ(old, new),
                            "mke2fs -d": blocks_that_differ(theirs, after)}
            shop.say(f"  {name}: {deltas[name]}")
            theirs = after.replace(theirs)
    if isLast:
        remove(theirs)
    return deltas


def change_shared_blocks(shop, edits, note):
    """The agent changed where files share blocks: on btrfs, in a file of the scratch folder."""
    if not shutil.which("mkfs.btrfs"):
        shop.say("  skip: no mkfs.btrfs, so nothing that shares blocks")
        return
    disk, mount = shop.scratch / "btrfs", shop.scratch / "btrfs-mount"
    mount.mkdir(exist_ok=True)
    output(["truncate", "-s", "24G", disk])
    output(["mkfs.btrfs", "-q", disk])
    output(["mount", "-o", "loop", disk, mount])
    try:
        store = mount / "store"
        store.mkdir()
        output(["cp", "-a", shop.store / "blobs", store / "blobs"])
        edits.start()
        shop.lock(edits.name, store)
        shop.build(edits.name, store, "--locked", "--offline")
        for _ in range(shop.rounds):
            edits.change_agent()
            lock = shop.lock(edits.name, store)
            warm_memory(6 << 30)
            run = shop.build(edits.name, store, "--locked", "--offline")
            run.marks["lock"] = lock.wall
            note("agent changed, blocks shared", run)
    finally:
        output(["umount", mount])
        remove(disk, mount)


def copy(shop, store, name):
    """The floor of a whole new image where the file system has no reflinks."""
    out = shop.scratch / "copy.ext4"
    warm_memory(3 << 30)
    run = shell('cp --reflink=never --sparse=always "$1" "$2" && sync "$2"',
                shop.release(name, store), out)
    remove(out)
    return run


def peer_image(shop, store, name, file):
    """mke2fs' image of the same tree, with everything fixed that can be fixed."""
    image = shop.release(name, store)
    tree, out = shop.tree(image, shop.scratch / "tree"), shop.scratch / file
    remove(out)
    identity = "00000000-0000-4000-8000-000000000001"
    output(["env", "E2FSPROGS_FAKE_TIME=1700000000", "mke2fs", "-q", "-F", "-t", "ext4", "-U", identity,
            "-E", f"hash_seed={identity}", "-d", tree, out, f"{image.stat().st_size >> 10}k"])
    remove(tree)
    return out


def claims(results, deltas):
    seconds = lambda name: column(results[name]) if name in results else []
    agent, plain = seconds("agent changed"), seconds("plain copy of the image")
    written = column(results.get("agent changed", []), "written")
    made = [
        limit("nothing changed", seconds("unchanged"), "s", at_most=0.3),
        limit("agent changed, published: time over that of a plain copy",
              [a / b for a, b in zip(agent, plain)], "×", at_most=1.5),
        limit("agent changed, image with its hashed chunks on the disk: over that of a plain copy",
              [a / b for a, b in zip(written, plain)], "×", at_most=1.5),
        limit("agent changed where files share blocks, image with its hashed chunks on the disk",
              column(results.get("agent changed, blocks shared", []), "written"), "s", at_most=1),
        limit("Chromium bumped, to a finished image", seconds("Chromium bumped"), "s", at_most=5),
        limit("CLI bumped, to a finished image", seconds("CLI bumped"), "s"),
        limit("package added, to a finished image", seconds("package added"), "s"),
    ]
    for name, bytes in deltas.items():
        made.append(limit(f"{name}: bytes of the image that differ, by 4 KiB",
                          [bytes["ours"] / MIB], "MiB",
                          at_most=5 if name == "agent changed" else None))
        made.append(limit(f"{name}: how many times as many differ with mke2fs -d",
                          [bytes["mke2fs -d"] / max(bytes["ours"], 4096)], "×"))
    return made
