"""Running programs and taking their times: the only place that measures."""

import dataclasses
import json
import mmap
import os
import pathlib
import statistics
import subprocess
import tempfile
import time


class Failed(Exception):
    """A program that did not end well; its last words."""


@dataclasses.dataclass
class Run:
    """One run of one program. Times are seconds, `rss` is the largest process's bytes."""
    wall: float
    cpu: float
    rss: int
    marks: dict = dataclasses.field(default_factory=dict)  # further times that the program told

    def values(self):
        return {"wall": self.wall, "cpu": self.cpu, "rss": self.rss, **self.marks}


def timed(words, marks=None, **options):
    """Runs a program to its end. `marks` makes further numbers of what it wrote to standard error and of
    the time that it took."""
    with (tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as noise,
          tempfile.NamedTemporaryFile("r") as memory):
        # GNU time tells the memory: what wait4 tells counts ours, too, which the child begins with.
        words = ["time", "--quiet", "--format=%M", f"--output={memory.name}", *map(str, words)]
        begin = time.monotonic()
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=noise, stderr=said,
                                   **options)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
        if process.returncode:
            noise.seek(0)
            words = f"{' '.join(words[4:])[:160]}: status {process.returncode}"
            raise Failed(f"{words}: {(noise.read().decode(errors='replace') + text)[-300:]}")
        return Run(wall, usage.ru_utime + usage.ru_stime, int(memory.read()) * 1024,
                   marks(text, wall) if marks else {})


def shell(line, *values, **options):
    """A line of shell that stops at the first fault; `values` are its $1, $2, …"""
    return timed(["sh", "-euc", line, "sh", *values], **options)


def output(words, **options):
    """What a program prints, when only that matters."""
    result = subprocess.run([str(word) for word in words], text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if result.returncode:
        raise Failed(f"{' '.join(map(str, words))[:200]}: {(result.stderr or result.stdout)[-600:]}")
    return result.stdout


def events(text):
    """The events of `--progress json`, with their times in seconds."""
    for line in text.splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            yield event["event"], event.get("phase"), event.get("text") or "", event["time"] / 1000


def phases(text, wall):
    """Seconds of each phase; and from the program's start until the tree stands (`tree`) and until the
    image is complete and on the disk (`written`), with what the program took before its first event."""
    began, took, last = {}, {}, 0
    for event, phase, _, at in events(text):
        last = at
        if event == "began":
            began[phase] = at
            if phase == "image":
                took["tree"] = at
        elif event == "ended" and phase in began:
            took[f"phase {phase}"] = took.get(f"phase {phase}", 0) + at - began[phase]
            if phase == "image":
                took["written"] = at
    for mark in {"tree", "written"} & took.keys():
        took[mark] += wall - last
    return took


def warm_memory(size):
    """Touches memory and gives it back: virtual machines that return free memory to their host pay for
    the first touch, which would else be counted for whoever runs first."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    with mmap.mmap(-1, size, flags=flags):
        pass


def warm_files(path):
    """Reads files into the page cache."""
    buffer = bytearray(1 << 20)
    for parent, _, names in os.walk(path) if os.path.isdir(path) else [("", [], [path])]:
        for name in names:
            file = os.path.join(parent, name)
            if os.path.isfile(file) and not os.path.islink(file):
                with open(file, "rb", buffering=0) as stream:
                    while stream.readinto(buffer):
                        pass


def remove(*paths):
    for path in paths:
        subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=True)


@dataclasses.dataclass
class Contender:
    """A program in a contest: how it runs, and what comes before and after, which is not counted."""
    name: str
    run: callable
    before: callable = None
    after: callable = None
    rounds: int = 99  # fewer than the contest's for who is only looked at and takes long


def contest(contenders, rounds, say):
    """Runs all in turn, forwards and backwards (A B, B A, …), so that no one gains by its place.

    Gives name → list of values, one for each round; who fails is told and left out from then on.
    """
    results = {contender.name: [] for contender in contenders}
    failed = {}
    for number in range(rounds):
        order = contenders if number % 2 == 0 else list(reversed(contenders))
        for contender in order:
            if contender.name in failed or number >= contender.rounds:
                continue
            try:
                if contender.before:
                    contender.before()
                os.sync()
                run = contender.run()
            except Failed as fault:
                failed[contender.name] = str(fault)
                say(f"  {contender.name}: {fault}")
                continue
            finally:
                if contender.after:
                    contender.after()
            results[contender.name].append({k: round(v, 3) for k, v in run.values().items()})
            say(f"  {number + 1}/{rounds} {contender.name}: {run.wall:.2f} s")
    return {name: runs for name, runs in results.items() if name not in failed}, failed


def median(values):
    return statistics.median(values)


def pairs(ours, theirs):
    """Ratios of two columns of numbers, round by round."""
    return [b / a for a, b in zip(ours, theirs)]


def column(runs, field="wall"):
    return [run[field] for run in runs if field in run]


def load():
    """The load average of the last minute."""
    return os.getloadavg()[0]


def blocks_that_differ(old, new, size=4096):
    """Bytes in blocks of `size` that are not the same at the same place of two files. Holes are zeros."""
    differing, step = 0, 1 << 20
    with open(old, "rb", buffering=0) as a, open(new, "rb", buffering=0) as b:
        total = max(os.fstat(a.fileno()).st_size, os.fstat(b.fileno()).st_size)
        at = 0
        while at < total:
            start = min(next_data(a, at, total), next_data(b, at, total)) // step * step
            at = max(at, start)
            left, right = (os.pread(file.fileno(), step, at) for file in (a, b))
            if left != right:
                left, right = left.ljust(step, b"\0"), right.ljust(step, b"\0")
                differing += sum(size for place in range(0, step, size)
                                 if left[place:place + size] != right[place:place + size])
            at += step
    return differing


def next_data(file, at, end):
    try:
        return os.lseek(file.fileno(), at, os.SEEK_DATA)
    except OSError:
        return end


def allocated(path):
    return pathlib.Path(path).stat().st_blocks * 512
