"""A root folder of packages, and the whole job to a hashed image, against those who do the same."""

import repository
from claims import claim
from timing import Contender, Failed, Run, contest, remove, shell, timed, warm_memory

# The environment that package scripts see; the caller's would change what they do.
CLEAN = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]


def run(shop):
    name = "tiny" if shop.short else "packages"
    shop.prepare(name)
    locked = shop.locked(name)
    names = [package["name"] for package in locked["packages"]]
    mirror = repository.make(shop.scratch / "repository", shop, locked)
    root = shop.scratch / "root"
    size = "1G" if shop.short else "8G"

    def mmdebstrap(mode):
        return timed([*CLEAN, "TMPDIR=/tmp", "mmdebstrap", f"--mode={mode}", "--variant=essential",
                      f"--include={','.join(names)}", "--format=directory", "--quiet",
                      "--setup-hook=/usr/share/mmdebstrap/hooks/merged-usr/setup00.sh", "", root,
                      f"deb [trusted=yes] copy:{mirror} {repository.SUITE} main"])

    def mmdebstrap_and_image():
        tree = mmdebstrap("root")
        image = shop.scratch / "out.ext4"
        disk = shell('mke2fs -q -F -t ext4 -d "$2" "$1" "$3" && sync "$1"', image, root, size)
        digest = timed(["sha256sum", image])
        remove(image)
        return Run(tree.wall + disk.wall + digest.wall, tree.cpu + disk.cpu + digest.cpu,
                   max(tree.rss, disk.rss, digest.rss),
                   {"tree": tree.wall, "mke2fs -d": disk.wall, "sha256sum": digest.wall})

    def debootstrap():
        return as_tree(timed([
            *CLEAN, "debootstrap", "--no-check-gpg", "--variant=minbase", "--merged-usr",
            f"--include={','.join(names)}", repository.SUITE, root, f"file://{mirror}",
            "/usr/share/debootstrap/scripts/sid"]))

    def clean():
        remove(root, shop.scratch / "mkosi")

    warm = shop.fresh_store("warm-store")
    shop.build(name, warm)  # what a store keeps of debs in forms of its own is there from now on

    def ours(store, before):
        return Contender(
            "ours, warm store" if store == "warm-store" else "ours, debs only",
            lambda: shop.build(name, shop.scratch / store), before,
            lambda: remove(shop.scratch / store / "images"))

    contenders = [
        ours("warm-store", lambda: ready(lambda: shop.forget(warm, name))),
        ours("debs-store", lambda: ready(lambda: shop.fresh_store("debs-store"))),
    ]
    peers = {"mmdebstrap": [("mmdebstrap root, mke2fs -d, sha256sum", mmdebstrap_and_image)]}
    if not shop.short:
        peers["mmdebstrap"].append(("mmdebstrap unshare", lambda: as_tree(mmdebstrap("unshare"))))
        peers["debootstrap"] = [("debootstrap", debootstrap)]
        peers["mkosi"] = [("mkosi", lambda: mkosi(shop, mirror, names, root))]
    for peer, lines in peers.items():
        if shop.has(peer):
            rounds = 99 if peer == "mmdebstrap" else 2  # no goal speaks of the others
            contenders += [Contender(text, body, lambda: ready(clean), clean, rounds)
                           for text, body in lines]
    results, failed = contest(contenders, shop.rounds, shop.say)
    remove(shop.scratch / "repository", warm, shop.scratch / "debs-store")

    by_root = results.get("mmdebstrap root, mke2fs -d, sha256sum")
    unshare = results.get("mmdebstrap unshare")
    warm, debs = results["ours, warm store"], results["ours, debs only"]
    claims = [
        claim("tree, warm store, against mmdebstrap --mode=root", warm, by_root, "tree", at_least=2.5),
        claim("tree, warm store, against mmdebstrap --mode=unshare", warm, unshare, "tree",
              at_least=2.5),
        claim("tree, debs only, against mmdebstrap --mode=root", debs, by_root, "tree", at_least=1.8),
        claim("tree, debs only, against mmdebstrap --mode=unshare", debs, unshare, "tree",
              at_least=1.8),
        claim("tree, warm store, against debootstrap", warm, results.get("debootstrap"), "tree"),
        claim("tree, warm store, against mkosi", warm, results.get("mkosi"), "tree"),
        claim("whole job, warm store, against mmdebstrap, mke2fs -d and sha256sum", warm, by_root,
              at_least=3),
        claim("whole job, debs only, against the same", debs, by_root, at_least=3),
    ]
    return {"title": f"A root of {len(names)} packages, and an image of {size}iB of it",
            "results": results, "failed": failed, "claims": claims}


def ready(clean):
    clean()
    warm_memory(6 << 30)


def as_tree(run):
    """A run of who makes no image: its whole time is that of the tree."""
    run.marks["tree"] = run.wall
    return run


def mkosi(shop, mirror, names, root):
    """A directory, nothing else, from the same repository."""
    folder = shop.scratch / "mkosi"
    folder.mkdir()
    options = ["--distribution=debian", f"--release={repository.SUITE}", "--format=directory",
               "--bootable=no", f"--output={root.name}", f"--output-directory={root.parent}",
               f"--local-mirror=file://{mirror}", "--repository-key-check=no", "--build-sources="]
    options += [f"--package={name}" for name in names]
    return as_tree(timed(["mkosi", *options, "build"], cwd=folder))
