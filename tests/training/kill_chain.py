"""A training run that is killed again and again, and resumed; run by test_kill_resume.py in a process of its own.

torch is imported once; every piece of the run is a fork of this process, so a kill costs no three seconds of imports.
One thread and no worker processes are alive when it forks: all pictures are in the pixel cache by then.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import random
import shutil
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import tqdm

from cutaway.training import loop
from cutaway.verbs import training_run
from cutaway.verbs.train import ResumeOptions, TrainOptions, resume, train

torch.set_num_threads(1)
tqdm.tqdm.monitor_interval = 0  # its thread would not be there after a fork


def run_out(out: Path, options: dict[str, Any]) -> None:
    """Begins the run, or takes it up where it stands."""
    begun = (out / "config.json").exists()
    events = resume.run(ResumeOptions(str(out))) if begun else train.run(TrainOptions(out=str(out), **options))
    for _ in events:
        pass


def forked(work: Callable[[], None], pipe: tuple[int, int], errors: Path) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.close(pipe[0])
        with errors.open("w") as file:
            os.dup2(file.fileno(), 2)
        work()
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def on_step(tell: Callable[[], None]) -> None:
    """`tell` is called before every step of training."""
    plain = loop._Loop._step

    def step(self: Any) -> None:
        tell()
        plain(self)

    loop._Loop._step = step


def killed_after(steps: int, wait: float, out: Path, options: dict[str, Any]) -> bool:
    """Steps of training, then seconds -> whether the kill -9 came before the run was finished."""
    pipe = os.pipe()

    def work() -> None:
        on_step(lambda: os.write(pipe[1], b"."))
        run_out(out, options)

    errors = out.with_suffix(".err")
    child = forked(work, pipe, errors)
    os.close(pipe[1])
    seen = 0
    while seen < steps and (got := os.read(pipe[0], steps - seen)):
        seen += len(got)
    if seen == steps:
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(pipe[0])
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, errors.read_text()
    return False


def main(asked: dict[str, Any]) -> dict[str, Any]:
    out, options = Path(asked["out"]), asked["options"]
    training_run.Desk = functools.partial(training_run.Desk, checkpoint_seconds=0.0)  # a checkpoint after every step
    draw, moments_of = random.Random(asked["seed"]), []
    chains, kills, mid_write = 0, 0, 0
    began = time.monotonic()
    plain = loop._Loop._step
    on_step(lambda: moments_of.append(time.monotonic()))
    run_out(out / "whole", options)
    loop._Loop._step = plain
    steps = len(moments_of)
    between = statistics.median(b - a for a, b in itertools.pairwise(moments_of))
    before = moments_of[0] - began
    assert threading.active_count() == 1, "a fork would lose the other threads"
    while kills < asked["kills"]:
        chains += 1
        chain = out / f"killed-{chains}"
        # Moments spread over the steps of the run, and one or two before the first step.
        moments = sorted(draw.randrange(steps) for _ in range(asked["kills"] - kills))
        done = 0
        for moment in moments:
            count = moment - done
            wait = draw.random() * (between if count else min(before, 1.0))
            if not killed_after(count, wait, chain, options):
                break
            kills += 1
            done = max(done, moment)
            mid_write += bool(list(chain.glob("checkpoints/*.partial")))
        if not (chain / "report.json").exists():
            run_out(chain, options)
    return {"chains": chains, "kills": kills, "mid_write": mid_write, "steps": steps}


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    shutil.rmtree(request["out"], ignore_errors=True)
    Path(request["out"]).mkdir()
    print(json.dumps(main(request)))
