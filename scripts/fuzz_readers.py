"""Changed files of every format, opened in worker processes under limits -> docs/coverage/fuzz.json and a table.

    .venv/bin/python -m scripts.fuzz_readers [--inputs 110000] [--workers 2] [--only ONNX ...] [--seed 0]
    .venv/bin/python -m scripts.fuzz_readers --again "ONNX" 4711 [--keep FOLDER]    opens one input again

A worker opens a batch of inputs one after the other, each as `cutaway open` does. The parent watches it: for one input
10 seconds of the processor (60 on the clock where it waits for anything else), 2 GB of memory. Who breaks a limit is
killed, and the batch goes on behind the input at fault. An audit hook in the worker sees what is run, unpickled or
sent. Needs Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "docs" / "coverage" / "fuzz.json"
MOST_SECONDS, MOST_WAIT, MOST_BYTES = 10.0, 60.0, 2_000_000_000
BATCH = 250
_LOOK = 0.05
_KEPT = 5
_PAGE, _TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
_SHARED = "qdd"
_FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.",
    "socket.",
    "pickle.find_class",
    "ctypes.",
)
_FORBIDDEN += ("shutil.", "os.remove", "os.rename", "os.mkdir", "os.symlink", "urllib.", "ftplib.", "webbrowser.")
ENDS = ("opened", "looked at only", "refused", "crashes", "hangs", "over memory", "untyped errors")
FAULTS = ENDS[3:]


@dataclass
class Tally:
    """How the inputs of one format ended; `faults` names those that ended badly."""

    form: str
    ends: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ENDS, 0))
    faults: list[str] = field(default_factory=list)
    sentences: dict[int, str] = field(default_factory=dict)
    slowest: list[tuple[float, int]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, end: str, number: int, note: str = "") -> None:
        self.ends[end] += 1
        self.sentences[number] = f"{end}: {note}"
        if end in FAULTS:
            self.faults.append(f"{self.form} {number}: {end} {note}")

    def row(self) -> dict[str, Any]:
        return {"format": self.form, "inputs": sum(self.ends.values()), **self.ends}


@dataclass
class Worker:
    """A process at its batch. `shared` holds the number it is at, when it began, and its processor time then."""

    pid: int
    tally: Tally
    numbers: range
    shared: mmap.mmap
    report: Path

    def at(self) -> tuple[int, float, float]:
        number, begun, spent = struct.unpack(_SHARED, self.shared[:24])
        return number, begun, spent


def fuzz(forms: Sequence[str], count: int, workers: int, seed: int = 0) -> list[Tally]:
    """Formats, inputs for each, processes at a time, first number -> one tally per format."""
    tallies = {form: Tally(form) for form in forms}
    todo = [batch for form in tallies for batch in batches(form, count, seed)]
    todo.reverse()
    running: list[Worker] = []
    warmed_up(list(tallies))
    with tempfile.TemporaryDirectory() as folder:
        while todo or running:
            while todo and len(running) < workers:
                form, numbers = todo.pop()
                running.append(started(tallies[form], numbers, Path(folder)))
            time.sleep(_LOOK)
            for worker in list(running):
                rest = looked_at(worker)
                if rest is None:
                    continue
                running.remove(worker)
                if rest:
                    todo.append((worker.tally.form, rest))
    return list(tallies.values())


def batches(form: str, count: int, seed: int) -> Iterator[tuple[str, range]]:
    """Format -> its batches; the hostile corpus is opened once and whole."""
    from tests.formats.corpus.fuzzed import HOSTILE, LIGHT
    from tests.formats.corpus.hostile import hostile

    begin, end = (0, len(hostile(form == HOSTILE))) if form in (HOSTILE, LIGHT) else (seed, seed + count)
    for n in range(begin, end, BATCH):
        yield form, range(n, min(n + BATCH, end))


def warmed_up(forms: Sequence[str]) -> None:
    """Imports and makes what every worker needs, once, before they are forked."""
    import timm  # noqa: F401 - it and torchvision load libraries when they are first asked for a network
    import torch
    import torchvision  # noqa: F401

    from tests.formats.corpus.fuzzed import fuzzed
    from tests.formats.corpus.outcome import outcome
    from tests.formats.corpus.seeds import SEEDS, seeds

    torch.set_num_threads(1)
    for form in forms:
        for files in seeds(form) if form in SEEDS else ():
            with tempfile.TemporaryDirectory() as folder:
                outcome(files.write(Path(folder)))
        for number in range(5):
            fuzzed(form, number)


def started(tally: Tally, numbers: range, folder: Path) -> Worker:
    shared = mmap.mmap(-1, 24)
    shared[:24] = struct.pack(_SHARED, numbers.start, time.monotonic(), 0.0)
    report = Path(tempfile.mkdtemp(dir=folder)) / "report.jsonl"
    pid = os.fork()
    if pid == 0:
        status = 1
        with contextlib.suppress(BaseException):
            work(tally.form, numbers, shared, report)
            status = 0
        os._exit(status)
    return Worker(pid, tally, numbers, shared, report)


def work(form: str, numbers: range, shared: mmap.mmap, report: Path) -> None:
    """The worker: opens input after input, writes how each ended."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    watching: list[str] = []
    sys.addaudithook(lambda event, _: watching.append(event) if event.startswith(_FORBIDDEN) else None)
    with report.open("w", buffering=1) as out:
        for number in numbers:
            inside = report.parent / "in" / "model"
            shutil.rmtree(inside.parent, ignore_errors=True)
            inside.mkdir(parents=True)
            os.chdir(inside)
            watching.clear()
            begun = time.process_time()
            shared[:24] = struct.pack(_SHARED, number, time.monotonic(), begun)
            end, note = ended(form, number, inside, watching)
            out.write(json.dumps([number, end, note, time.process_time() - begun]) + "\n")


def ended(form: str, number: int, folder: Path, watching: list[str]) -> tuple[str, str]:
    """One input -> (how it ended, the error where it is untyped)."""
    from tests.formats.corpus.files import CANARY
    from tests.formats.corpus.fuzzed import HOSTILE, LIGHT, fuzzed
    from tests.formats.corpus.outcome import outcome

    at = "making it"
    try:
        path = fuzzed(form, number).write(folder)
        watching.clear()
        at = "opening it"
        end, sentence = outcome(path)
    except BaseException as error:
        return "untyped errors", f"{at}: {type(error).__name__}: {str(error)[:300]}"
    if watching or (folder / CANARY).exists():
        return "untyped errors", f"ran something: {watching[:5]}"
    return end, sentence if form in (HOSTILE, LIGHT) else ""


def looked_at(worker: Worker) -> range | None:
    """Worker -> None while it may go on; else what is left of its batch."""
    number, begun, spent = worker.at()
    fault = ""
    state, used = processor(worker.pid)
    if memory(worker.pid) > MOST_BYTES:  # asked first: who filled the memory may have been at it for long
        fault = "over memory"
    elif used - spent > MOST_SECONDS or (time.monotonic() - begun > MOST_WAIT and state != "R"):
        fault = "hangs"
    if fault:
        os.kill(worker.pid, signal.SIGKILL)
    pid, status = os.waitpid(worker.pid, 0 if fault else os.WNOHANG)
    if pid == 0:
        return None
    number, *_ = worker.at()
    done = counted(worker)
    if not fault and os.waitstatus_to_exitcode(status) == 0:
        return range(0)
    worker.tally.add(fault or "crashes", number, f"(status {os.waitstatus_to_exitcode(status)})" if not fault else "")
    return range(max(number, done) + 1, worker.numbers.stop)


def counted(worker: Worker) -> int:
    """Adds the worker's report to its tally -> the last number in it."""
    last = -1
    for line in worker.report.read_text().splitlines() if worker.report.exists() else ():
        last, end, note, seconds = json.loads(line)
        worker.tally.add(end, last, note)
        worker.tally.slowest = sorted([*worker.tally.slowest, (seconds, last)])[-_KEPT:]
        worker.tally.seconds += seconds
    shutil.rmtree(worker.report.parent, ignore_errors=True)
    return last


def memory(pid: int) -> int:
    """Process -> bytes of it in memory, 0 where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def processor(pid: int) -> tuple[str, float]:
    """Process -> (its state, "R" where it computes or would, seconds of the processor it has used), as proc(5) says."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "R", 0.0  # it has ended
    return words[0], (int(words[11]) + int(words[12])) / _TICKS


def table(tallies: Sequence[Tally]) -> Iterator[str]:
    """Tallies -> lines of text."""
    columns = ["format", "inputs", *ENDS]
    rows = [t.row() for t in tallies]
    total = {"format": "all", **{c: sum(r[c] for r in rows) for c in columns[1:]}}
    yield " ".join([f"{columns[0]:20}", *(f"{c:>15}" for c in columns[1:])])
    for row in [*rows, total]:
        yield " ".join([f"{row['format']:20}", *(f"{row[c]:15,}" for c in columns[1:])])


def again(form: str, number: int, keep: str) -> None:
    from tests.formats.corpus.fuzzed import fuzzed
    from tests.formats.corpus.outcome import outcome

    with tempfile.TemporaryDirectory() as folder:
        path = fuzzed(form, number).write(Path(keep or folder))
        print(*outcome(path))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=110_000, help="in all, spread over the formats")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="number of the first input")
    parser.add_argument("--only", nargs="*", default=[], help="formats: their rows of the result are made anew")
    parser.add_argument("--out", default="", help="another file for the result, with all faults")
    parser.add_argument("--again", nargs=2, metavar=("FORMAT", "NUMBER"), help="open one input again")
    parser.add_argument("--keep", default="", help="folder in which --again leaves the input")
    given = parser.parse_args()
    if given.again:
        again(given.again[0], int(given.again[1]), given.keep)
        return 0
    from tests.formats.corpus.fuzzed import FORMS, HOSTILE, LIGHT

    begun = time.monotonic()
    tallies: list[Tally] = []
    for form in given.only or [*FORMS, HOSTILE]:
        tallies += fuzz([form], -(-given.inputs // len(FORMS)), given.workers, given.seed)
        told(tallies[-1])
        if not given.out:
            recorded(tallies[-1], given.seed)
    print("\n".join(table(tallies)))
    print(f"{time.monotonic() - begun:.0f} s")
    if given.out:
        sentences = next((t.sentences for t in tallies if t.form in (HOSTILE, LIGHT)), {})
        faults = [fault for t in tallies for fault in t.faults]
        result = {"rows": [t.row() for t in tallies], "faults": faults, "sentences": sentences}
        Path(given.out).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if any(t.faults for t in tallies) else 0


def told(tally: Tally) -> None:
    """Prints how long a format's inputs took, and its faults."""
    count = max(1, sum(tally.ends.values()))
    slowest = ", ".join(f"{seconds:.2f} s (number {number})" for seconds, number in reversed(tally.slowest))
    print(f"{tally.form:20} {tally.seconds / count * 1e3:6.1f} ms each, slowest {slowest}")
    print("".join(f"  {fault}\n" for fault in tally.faults[:20]), end="", flush=True)


def recorded(tally: Tally, seed: int) -> None:
    """Puts a format's row into the result file, in the place of its older one."""
    from tests.formats.corpus.fuzzed import FORMS, HOSTILE

    rows = json.loads(RESULT.read_text(encoding="utf-8"))["rows"] if RESULT.exists() else []
    found = {row["format"]: row for row in rows} | {tally.form: {**tally.row(), "first number": seed}}
    kept = [found[form] for form in (*FORMS, HOSTILE) if form in found]
    RESULT.write_text(json.dumps({"rows": kept}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
