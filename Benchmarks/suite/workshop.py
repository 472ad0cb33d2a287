"""Where benchmarks work: a scratch folder with copies of the recipes, stores, and our program."""

import json
import os
import pathlib
import platform
import shutil

from timing import Failed, Run, output, phases, remove, timed

HERE = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = HERE.parent
# What a store keeps beside its blobs so that a stage of a root need not be made again.
STAGES = ["layers"]


class Workshop:
    def __init__(self, scratch, product, peers, short, rounds, say):
        self.scratch, self.peers, self.short, self.rounds, self.say = \
            scratch, peers, short, rounds, say
        self.product = product  # gives the path of a product of the package, built
        self.store = scratch / "store"
        self.store.mkdir(parents=True, exist_ok=True)
        # A copy: the program in the build folder may change while we measure.
        self.program = pathlib.Path(shutil.copy(product("build-snapshot"), scratch / "build-snapshot"))
        self.recipes = scratch / "recipes"
        remove(self.recipes)
        shutil.copytree(PACKAGE / "recipes", self.recipes)
        for recipe in (HERE / "recipes").glob("*.toml"):
            shutil.copy(recipe, self.recipes)
        system = platform.freedesktop_os_release()
        self.settings = [f"--set=distribution={system['ID']}",
                         f"--set=suite={system['VERSION_CODENAME']}"]

    def has(self, *names):
        return all(self.peers[name].found for name in names)

    def recipe(self, name):
        return self.recipes / f"{name}.toml"

    def words(self, command, name, store, *options):
        settings = self.settings if name == "tiny" else []
        return [self.program, command, self.recipe(name), "--store", store, *settings, *options]

    def lock(self, name, store=None):
        """Resolves a recipe. Its time is told, since it asks the mirror."""
        return timed(self.words("lock", name, store or self.store, "--quiet"))

    def build(self, name, store=None, *options):
        """Builds a locked recipe from what the store holds; its phases are the run's marks.

        With all checks but the boot: no peer boots what it has made.
        """
        options = options or ("--offline", "--locked")
        words = self.words("build", name, store or self.store, "--progress", "json",
                           "--skip-check", "boot", *options)
        return timed(words, marks=phases)

    def prepare(self, name, store=None):
        """Locks a recipe and fetches and builds it once."""
        self.lock(name, store)
        return self.build(name, store, "--locked")

    def locked(self, name):
        return json.loads(self.recipe(name).with_suffix(".lock").read_text())

    def release(self, name, store=None):
        """The image of the recipe's newest version."""
        return (store or self.store) / "images" / name / "latest" / "rootfs.ext4"

    def blob(self, sha256, store=None):
        return (store or self.store) / "blobs/sha256" / sha256[:2] / sha256

    def fresh_store(self, name):
        """A store that has every blob and nothing else: `debs only`."""
        store = self.scratch / name
        remove(store)
        store.mkdir()
        output(["cp", "-a", "--link", self.store / "blobs", store / "blobs"])
        return store

    def forget(self, store, image):
        """Leaves a store its inputs in every form that they have there, but no part of a root."""
        remove(*(store / name for name in STAGES), store / "images" / image)

    def write_image(self, source, image, size, *options):
        """`build-snapshot image`: the writer alone, with the hashes of chunks and of the whole."""
        return timed([self.program, "image", source, image, "--size", str(size),
                      "--progress", "json", *options], marks=phases)

    def tree(self, image, folder):
        """Lays out the tree of an image in a folder."""
        remove(folder)
        folder.mkdir(parents=True)
        output(["debugfs", "-R", f"rdump / {folder}", image])
        return folder


def facts(workshop):
    """The machine and the versions that results depend on."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if "model name" in line), "unknown")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    mount = output(["findmnt", "-no", "FSTYPE", "-T", workshop.scratch]).strip()
    try:
        revision = output(["git", "-C", PACKAGE, "log", "-1", "--format=%h", "--", "Sources"]).strip()
    except Failed:
        revision = "unknown"
    swift = output(["swift", "--version"]).splitlines()[0] if shutil.which("swift") else "unknown"
    return {
        "processors": f"{os.cpu_count()} × {model}", "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"{system}, Linux {platform.release()}, {mount}", "swift": swift,
        "revision": revision,
    }
