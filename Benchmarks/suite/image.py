"""The image writer against others that make a file system of a tree, and against copying its bytes."""

import functools
import os
import pathlib
import tempfile

from claims import claim, limit
from timing import Contender, allocated, column, contest, output, remove, shell, warm_files, warm_memory


GIB = 1 << 30
HASHED = "ours, folder, hashed"
MKE2FS_HASHED = "mke2fs -d, sha256sum"


def run(shop):
    """The golden image's tree, from a folder and from a tar."""
    name, tree, size = golden(shop)
    results, failed = write_all(shop, tree, size)
    remove(tree)
    claims = contests("image written", results) + [
        claim("image written while it is hashed, against mke2fs -d, which does not", results[HASHED],
              results.get("mke2fs -d"), "written"),
        claim("image written and hashed, against mke2fs -d and sha256sum", results[HASHED],
              results.get(MKE2FS_HASHED)),
        limit("image written from a folder while it is hashed, over the faster of cp and dd",
              over_floor(results, HASHED), "×"),
    ]
    return {"title": f"Writing an image of {size // GIB} GiB: {name}", "results": results,
            "failed": failed, "claims": claims}


def memory(shop):
    """The same writers where no disk has to be waited for."""
    name, tree, size = golden(shop)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir="/dev/shm") as place:
        results, failed = write_all(shop, tree, size, place=pathlib.Path(place), hashes=False)
    remove(tree)
    return {"title": f"Writing an image of {size // GIB} GiB into memory (tmpfs): {name}",
            "results": results, "failed": failed,
            "claims": contests("image written in memory", results)}


def golden(shop):
    """The name of the recipe whose tree is written, the tree, and the image's size."""
    name = "tiny" if shop.short else "golden"
    shop.prepare(name)
    return (name, shop.tree(shop.release(name), shop.scratch / "tree"),
            GIB if shop.short else 8 * GIB)


def contests(what, results):
    """Ours, which then hashes nothing either, against each peer and against copying the bytes."""
    claims = [claim(f"{what}, against mke2fs -d", results["ours, folder"], results.get("mke2fs -d"),
                    "written", at_least=6)]
    known = {"ours, folder", "ours, tar", HASHED, "mke2fs -d", MKE2FS_HASHED, "cp", "dd"}
    for peer in sorted(results.keys() - known):
        ours = results["ours, tar" if "tar" in peer else "ours, folder"]
        claims.append(claim(f"{what}, against {peer}", ours, results[peer], "written",
                            at_least=2))
    for source in ("folder", "tar"):
        claims.append(limit(f"{what} from a {source}, over the faster of cp and dd",
                            over_floor(results, f"ours, {source}"), "×", at_most=1.6))
    return claims


def over_floor(results, contender):
    floor = [min(a, b) for a, b in zip(column(results["cp"]), column(results["dd"]))]
    return [a / b for a, b in zip(column(results[contender], "written"), floor)]


def flat(shop):
    """One folder with very many files."""
    count = 2000 if shop.short else 30_000
    tree = shop.scratch / "tree"
    remove(tree)
    tree.mkdir()
    for number in range(count):
        (tree / f"file-{number:06}").touch()
    results, failed = write_all(shop, tree, GIB, floor=False)
    remove(tree)
    return {"title": f"One folder with {count} empty files", "results": results, "failed": failed,
            "claims": [claim("flat folder written, against mke2fs -d", results["ours, folder"],
                             results.get("mke2fs -d"), "written", at_least=6)]}


def write_all(shop, tree, size, floor=True, place=None, hashes=True):
    """All writers on one tree; each run ends when the image is on the disk. The peers hash nothing.

    `place` is for the images, the scratch folder if it is none.
    """
    tar = shop.scratch / "tree.tar"
    out, reference = ((place or shop.scratch) / name for name in ("out.ext4", "floor.ext4"))
    output(["tar", "--format=pax", "--xattrs", "--acls", "-C", tree, "-cf", tar, "."])
    shop.write_image(tree, reference, size)
    output(["e2fsck", "-fn", reference])
    bytes_of_image = allocated(reference)

    def ready():
        warm_files(tree)
        warm_files(tar)
        warm_memory(2 * bytes_of_image + (256 << 20))

    def ready_to_copy():
        warm_files(reference)
        ready()

    def line(name, text, *values, before=ready):
        values = [str(value) for value in values]
        return Contender(name, lambda: shell(text, out, *values), before, lambda: remove(out))

    ours = [("ours, folder", tree, "--no-hash"), ("ours, tar", tar, "--no-hash")]
    if hashes:
        ours.append((HASHED, tree))
    writers = [
        Contender(name, functools.partial(shop.write_image, source, out, size, *options), ready,
                  lambda: remove(out))
        for name, source, *options in ours
    ]
    lines = {
        "mke2fs": ("mke2fs -d", 'mke2fs -q -F -t ext4 -d "$2" "$1" "$3"k', tree, size >> 10),
        "mkext4": ("mkext4, folder", 'mkext4-mkfs "$2" "$1" "$3"', tree, size),
        "containerization": ("containerization, tar", 'tar-to-ext4 "$2" "$1" "$3"', tar, size),
        "tar2ext4": ("tar2ext4, tar", 'tar2ext4 -i "$2" -o "$1"', tar),
        "genext2fs": ("genext2fs (ext2), folder",
                      'genext2fs -B 4096 -b "$3" -N "$4" -d "$2" "$1"', tree, size >> 12, size >> 14),
    }
    for peer, (name, text, *values) in lines.items():
        if shop.has(peer):
            writers.append(line(name, text + ' && sync "$1"', *values))
    if floor and hashes:
        writers.append(line(MKE2FS_HASHED, 'mke2fs -q -F -t ext4 -d "$2" "$1" "$3"k && sync "$1"'
                            ' && sha256sum "$1"', tree, size >> 10))
    if floor:
        writers += [
            line("cp", 'cp --sparse=always "$2" "$1" && sync "$1"', reference, before=ready_to_copy),
            line("dd", 'dd status=none bs=4M conv=fsync if="$2" of="$1"', tar),
        ]
    results = contest(writers, shop.rounds, shop.say)
    remove(tar, reference)
    return results


def scale(shop):
    """Time and memory as bytes and files grow."""
    by_bytes = [16 << 20, 32 << 20] if shop.short else [GIB, 2 * GIB, 4 * GIB, 8 * GIB]
    by_files = [500, 1000] if shop.short else [10_000, 100_000, 1_000_000]
    results = {}
    rounds = 1 if shop.short else 3
    for total in by_bytes:
        tree = shop.scratch / "tree"
        fill(tree, total >> 20, 1 << 20)
        results[f"{total / GIB:g} GiB"] = written(shop, tree, total + total // 4 + (64 << 20), rounds)
    for count in by_files:
        fill(shop.scratch / "tree", count, 100)
        size = count * (16 << 10) + (256 << 20)
        results[f"{count} files"] = written(shop, shop.scratch / "tree", size, rounds)
    remove(shop.scratch / "tree")
    most = [max(max(column(runs, "rss")) for runs in results.values())]
    claims = [limit("writer's peak memory, any size", [value / (1 << 20) for value in most], "MiB",
                    at_most=300)]
    for few, many, unit in ((by_bytes[-2], by_bytes[-1], "GiB"), (by_files[-2], by_files[-1], "files")):
        name = (lambda n: f"{n / GIB:g} GiB") if unit == "GiB" else (lambda n: f"{n} files")
        growth = many / few
        claims.append(limit(
            f"growth of time from {name(few)} to {name(many)}, over that of the tree",
            [b / a / growth for a, b in zip(column(results[name(few)], "written"),
                                            column(results[name(many)], "written"))],
            "×", at_most=1.25))
    return {"title": "Time and memory as the tree grows", "results": results, "failed": {},
            "claims": claims}


def written(shop, tree, size, rounds):
    out = shop.scratch / "out.ext4"

    def before():
        warm_files(tree)
        warm_memory(min(size, 10 * GIB))

    contender = Contender(tree.name, lambda: shop.write_image(tree, out, size), before,
                          lambda: remove(out))
    results, failed = contest([contender], rounds, shop.say)
    if failed:
        raise RuntimeError(f"our own writer failed: {failed}")
    return results[tree.name]


def fill(tree, count, size):
    """A tree of files of one size, 100 in a folder; their bytes do not compress."""
    remove(tree)
    content = os.urandom(size)
    for number in range(count):
        folder = tree / f"{number // 10_000:03}" / f"{number // 100 % 100:02}"
        if number % 100 == 0:
            folder.mkdir(parents=True)
        with open(folder / f"{number % 100:02}", "wb", buffering=0) as file:
            file.write(number.to_bytes(8, "little") + content[8:])
