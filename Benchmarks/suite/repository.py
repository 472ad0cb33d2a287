"""A Debian repository of exactly the packages of a lock, for programs that bring their own apt."""

import gzip
import hashlib
import os

from timing import output, remove

SUITE = "locked"


def make(folder, shop, locked):
    """pool/ with every deb of the lock, and a suite that names them; unsigned."""
    remove(folder)
    pool, index = folder / "pool", folder / f"dists/{SUITE}/main/binary-amd64"
    pool.mkdir(parents=True)
    index.mkdir(parents=True)
    stanzas = []
    for package in locked["packages"]:
        deb = package["deb"]
        name = os.path.basename(deb["path"])
        os.link(shop.blob(deb["sha256"]), pool / name)
        control = output(["dpkg-deb", "-f", pool / name]).rstrip("\n")
        stanzas.append(f"{control}\nFilename: pool/{name}\nSize: {deb['size']}\n"
                       f"SHA256: {deb['sha256']}\n")
    text = "".join(stanza + "\n" for stanza in stanzas).encode()
    files = {"Packages": text, "Packages.gz": gzip.compress(text, mtime=0)}
    lines = []
    for file, content in files.items():
        (index / file).write_bytes(content)
        lines.append(f" {hashlib.sha256(content).hexdigest()} {len(content)}"
                     f" main/binary-amd64/{file}")
    release = (f"Origin: Debian\nLabel: Debian\nSuite: {SUITE}\nCodename: {SUITE}\n"
               "Date: Thu, 01 Jan 2026 00:00:00 UTC\nArchitectures: amd64 all\nComponents: main\n"
               "SHA256:\n" + "\n".join(lines) + "\n")
    (index.parent.parent / "Release").write_text(release)
    return folder
