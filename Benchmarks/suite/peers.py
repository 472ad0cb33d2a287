"""The programs we are measured against: where they come from, and why one is missing."""

import dataclasses
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent.parent
# Peers without a package of the system are built into this folder, or put there by hand; a file
# PROGRAM.about beside one tells its version.
FOLDER = pathlib.Path(
    os.environ.get("BENCHMARK_PEERS")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    / "build-snapshot/peers")


@dataclasses.dataclass
class Peer:
    name: str
    program: str
    package: str = ""  # of apt
    build: str = ""  # a line of shell that puts the program into "$1"
    version: str = '"$0" --version 2>&1 | head -n 1'
    found: str = ""  # path
    about: str = ""  # version
    reason: str = ""  # why there is none


def all_peers():
    return [
        Peer("mmdebstrap", "mmdebstrap", "mmdebstrap"),
        Peer("debootstrap", "debootstrap", "debootstrap"),
        # apt's is too old to take packages from an unsigned repository.
        Peer("mkosi", "mkosi",
             build='python3 -m venv "$1/mkosi.venv"'
                   ' && "$1/mkosi.venv/bin/pip" install -q git+https://github.com/systemd/mkosi'
                   ' && ln -sf mkosi.venv/bin/mkosi "$1/mkosi"'),
        Peer("mke2fs", "mke2fs", "e2fsprogs", version='"$0" -V 2>&1 | head -n 1'),
        Peer("genext2fs", "genext2fs", "genext2fs"),
        Peer("tar2ext4", "tar2ext4", version="echo unknown",
             build='GOBIN="$1" go install github.com/Microsoft/hcsshim/cmd/tar2ext4@latest'),
        Peer("mkext4", "mkext4-mkfs", version="echo unknown",
             build='cargo install --root "$1/cargo" --example mkfs mkext4'
                   ' && mv "$1/cargo/bin/mkfs" "$1/mkext4-mkfs"'),
        Peer("containerization", "tar-to-ext4", version="echo unknown",
             build=f'swift build -c release --package-path "{HERE}/peers/containerization"'
                   ' --scratch-path "$1/containerization" --product tar-to-ext4'
                   ' && cp "$1/containerization/release/tar-to-ext4" "$1"'),
        Peer("node", "node", "nodejs"),
        Peer("npm", "npm", "npm", version='echo "npm $("$0" --version)"'),
    ]


def find(say, builds=True):
    """Every peer by name, installed or built where that can be done; those without `found` have a reason."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ["PATH"] = f"{FOLDER}:{os.environ['PATH']}:/usr/sbin:/sbin"
    peers = all_peers()
    missing = [peer.package for peer in peers if peer.package and not shutil.which(peer.program)]
    missing += ["time"] * (not shutil.which("time"))  # which measures memory
    if missing:
        say(f"installing {' '.join(missing)}")
        for package in missing:  # one at a time: one that cannot be had takes no other along
            run(f"apt-get install -y -qq --no-install-recommends {package}",
                environment={"DEBIAN_FRONTEND": "noninteractive"})
    for peer in peers:
        peer.found = shutil.which(peer.program) or ""
        if not peer.found and peer.build and builds:
            say(f"building {peer.name}")
            words = run(peer.build, FOLDER)
            peer.found = shutil.which(peer.program) or ""
            peer.reason = "" if peer.found else f"cannot be built here: {words}"
        if peer.found:
            peer.about = version(peer)
        elif not peer.reason:
            peer.reason = "not installed, and not built in the short form" if peer.build \
                else f"apt has no package {peer.package} here"
    return {peer.name: peer for peer in peers}


def version(peer):
    note = pathlib.Path(peer.found + ".about")
    if note.exists():
        return note.read_text().strip()
    return subprocess.run(["sh", "-c", peer.version, peer.found], text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def run(line, *values, environment=()):
    """The last line that a command says."""
    try:
        result = subprocess.run(
            ["sh", "-euc", line, "sh", *map(str, values)], text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800,
            env={**os.environ, **dict(environment)})
    except subprocess.TimeoutExpired:
        return "it took more than half an hour"
    lines = [text for text in result.stdout.splitlines() if text.strip()]
    return lines[-1].strip()[:200] if lines else f"status {result.returncode}"
