"""The guest agents beside a Node server of the same interface: time to the first answer, and memory."""

import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

from claims import claim
from timing import Contender, Failed, Run, contest

HERE = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = HERE.parent
TOKEN = "benchmark-token-0123456789"


def run(shop):
    token = shop.scratch / "token"
    token.write_text(TOKEN + "\n")
    sessions = shop.scratch / "sessions"
    sessions.mkdir(exist_ok=True)
    agents = {
        "vm-browser-agent": ["--token-file", token, "--sessions", sessions, "--logs", sessions],
        "vm-api-server": ["--token-file", token, "--home", shop.scratch],
    }
    contenders = []
    for name, options in agents.items():
        program = compiled(name)
        subprocess.run(["strip", "-o", shop.scratch / name, program], check=True)
        words = [shop.scratch / name, *options]
        contenders.append(Contender(name, lambda words=words: started(words)))
    if shop.has("node"):
        words = ["node", HERE / "peers/server.js", "--token-file", token]
        contenders.append(Contender("Node server", lambda: started(words)))
    results, failed = contest(contenders, 3 if shop.short else 15, lambda _: None)
    claims = []
    for name in agents:
        for field, what in (("wall", "start to first answer"), ("rss", "resident memory")):
            claims.append(claim(f"{name}, {what}, against the Node server", results[name],
                                results.get("Node server"), field))
    sizes = {name: f"{(shop.scratch / name).stat().st_size / 1e6:.1f} MB" for name in agents}
    return {"title": "Guest agents", "results": results, "failed": failed, "claims": claims,
            "notes": [f"{name} is one file of {size}." for name, size in sizes.items()]}


def compiled(name):
    """The program as golden images get it, with Swift's libraries in it: by the very command of the module
    `Compiling`, so that nothing is compiled twice."""
    scratch = PACKAGE / ".build/products"
    words = ["swift", "build", "--package-path", PACKAGE, "--scratch-path", scratch, "-c", "release", "--product", name,
             "--static-swift-stdlib", "-debug-info-format", "none", "-Xlinker", "--strip-all", "-Xlinker",
             "--build-id=none", "-Xcc", f"-ffile-prefix-map={PACKAGE}/=/"]
    subprocess.run(words, check=True, stdout=sys.stderr)
    return scratch / "release" / name


def started(words):
    """Starts a server, asks its health until it answers, and looks at its memory after 200 answers."""
    port = free_port()
    begin = time.monotonic()
    process = subprocess.Popen([str(word) for word in words] + ["--listen", f"127.0.0.1:{port}"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        while not answers(port):
            if process.poll() is not None or time.monotonic() - begin > 20:
                raise Failed(f"{words[0]} does not answer")
            time.sleep(0.0005)
        first = time.monotonic() - begin
        times = []
        for _ in range(200):
            at = time.monotonic()
            if not answers(port):
                raise Failed(f"{words[0]} stopped answering")
            times.append(time.monotonic() - at)
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        resident = next(int(line.split()[1]) * 1024 for line in status.splitlines()
                        if line.startswith("VmRSS"))
        fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")")[1].split()
        processor = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return Run(first, processor, resident, {"answer, ms": statistics.median(times) * 1000})
    finally:
        process.kill()
        process.wait()


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
