"""The loop: network, batches, recipe -> the weights with the lowest validation loss, epoch by epoch.

Every random number follows from (seed, step), never from what ran before: so a run that was killed and resumed makes
the same steps as one that was not, bit for bit on a CPU with the same number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import fx, nn

from cutaway.engine.fast import training_twin
from cutaway.errors import BadInput, BadModel
from cutaway.events import Epoch, Event, Note, Progress
from cutaway.reports import EpochRow
from cutaway.training.checkpoint import load_checkpoint, save_checkpoint
from cutaway.training.device import World, agree, dtype_for, sum_over
from cutaway.training.recipe import Recipe
from cutaway.training.schedule import make_optimizer, one_cycle, set_rate, weight_groups
from cutaway.training.source import Source

# A kill costs at most this much work; writing a small network takes a few milliseconds.
CHECKPOINT_SECONDS = 15.0
_PROGRESS_SECONDS = 0.1
_STEPS_WORTH_COMPILING = 2000
_EVAL_BATCH = 256


@dataclass(frozen=True, slots=True)
class Job:
    """One stretch of training: `phase` names it in curves, `epochs_before` were trained in earlier phases."""

    train: Source
    val: Source
    recipe: Recipe
    epochs: int
    world: World
    phase: str = "train"
    epochs_before: int = 0
    layered: bool = False
    checkpoint: Path | None = None
    checkpoint_seconds: float = CHECKPOINT_SECONDS


@dataclass(slots=True)
class Fitted:
    """What a stretch left: every epoch's row, why it ended ("finished", "no lower ...", "stopped", "diverged ...")."""

    rows: list[EpochRow] = field(default_factory=list)
    ended: str = "finished"
    best_epoch: int = 0


@dataclass(slots=True)
class _Standing:
    """Where the loop is; all of it goes into the checkpoint."""

    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    seconds: float = 0.0
    best_loss: float = float("inf")
    best_epoch: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    ended: str = ""


class _DivergedError(Exception):
    """The loss is infinite or no number; `epoch` and `step` (of the epoch, from 1) say when."""

    def __init__(self, epoch: int, step: int) -> None:
        self.epoch, self.step = epoch, step


def fit(
    network: nn.Module, job: Job, *, on_epoch: Callable[[EpochRow], None] = lambda _: None
) -> Generator[Event, None, Fitted]:
    """Network (changed in place), job -> events while it trains; the network ends with the best weights.

    Ctrl-C ends the stretch after the step in hand; the best weights so far are kept, as they are where the loss stops
    being a number. Raises BadModel where it does so before any epoch has ended, or where the checkpoint is damaged;
    BadInput where the batches are too small for the network or for the processes that share them. `on_epoch` hears of
    every epoch, those that a resumed checkpoint holds included.
    """
    loop = _Loop(network, job, on_epoch)
    try:
        yield from loop.run()
    except KeyboardInterrupt:
        loop.at.ended = "stopped"
        yield Note("Stopped: the best weights so far are kept.")
    except _DivergedError as error:
        yield Note(loop.give_up(error))
    loop.finish()
    return Fitted([EpochRow(**row) for row in loop.at.rows], loop.at.ended, loop.at.best_epoch)


class _Loop:
    def __init__(self, network: nn.Module, job: Job, on_epoch: Callable[[EpochRow], None]) -> None:
        self.job, self.on_epoch = job, on_epoch
        self.n = len(job.train.labels)
        if min(self.n, job.recipe.batch_size) < job.world.size:
            raise BadInput(
                f"{job.world.size} processes cannot share batches of {min(self.n, job.recipe.batch_size)} pictures; "
                "start fewer processes, or give more pictures or a larger --batch-size."
            )
        self.network = network.to(job.world.device).to(memory_format=torch.channels_last)
        self.dtype = dtype_for(job.recipe.precision, job.world.device)
        self.optimizer = make_optimizer(weight_groups(network, job.recipe, layered=job.layered), job.recipe)
        # Three pictures in the last step would shake the weights as much as a full one: it is left out.
        self.steps = max(1, self.n // job.recipe.batch_size)
        self.total = self.steps * job.epochs
        quick = training_twin(network) if isinstance(network, fx.GraphModule) else network
        self.forward = _shared(_compiled(quick, job, self.total), job.world)
        self.order = torch.empty(0)
        self.at = _Standing()
        self.saved_at = time.monotonic()
        self._resume()

    def run(self) -> Generator[Event, None, None]:
        started = told = time.monotonic()
        while self.at.step < self.total and not self.at.ended:
            self._step()
            now = time.monotonic()
            if self.at.step % self.steps == 0:
                self.at.seconds += now - started
                yield self._close_epoch()
                self._save()
                started = time.monotonic()
            elif now - told > _PROGRESS_SECONDS:
                told = now
                yield Progress(self.job.phase, self.at.step, self.total, "steps")
            if now - self.saved_at > self.job.checkpoint_seconds:
                self.at.seconds += now - started
                started = now
                self._save()
        self.at.ended = self.at.ended or "finished"

    def finish(self) -> None:
        """The best weights go into the network; before the first epoch ended, the latest ones stay."""
        if self.at.best:
            self.network.load_state_dict(self.at.best)
        self.network.eval()

    def give_up(self, error: _DivergedError) -> str:
        """Keeps what there is and says so; without a finished epoch there is nothing to keep."""
        what = f"The loss was no longer a number in epoch {error.epoch}, step {error.step}"
        remedy = f"train with a lower --lr (it was {self.job.recipe.lr:g})"
        if not self.at.best:
            raise BadModel(f"{what}, before any epoch had ended; {remedy}.") from None
        self.at.ended = f"diverged in epoch {error.epoch}"
        return f"{what}: the best weights so far, of epoch {self.at.best_epoch}, are kept; {remedy}."

    def _step(self) -> None:
        recipe, world = self.job.recipe, self.job.world
        epoch, i = divmod(self.at.step, self.steps)
        if i == 0 or not len(self.order):
            self.order = torch.randperm(self.n, generator=_generator(recipe.seed, 1, epoch + self.job.epochs_before))
        torch.manual_seed(_mix(recipe.seed, 2, self.at.step, world.rank))  # dropout and the like draw from here
        at = self.order[i * recipe.batch_size : (i + 1) * recipe.batch_size][world.rank :: world.size]
        x = self.job.train.batch(at, _generator(recipe.seed, 3, self.at.step, world.rank))
        target = self.job.train.labels[at].to(world.device)
        set_rate(self.optimizer, recipe.lr * one_cycle(self.at.step, self.total, recipe.warmup))
        self.forward.train()
        with torch.autocast(world.device.type, self.dtype, enabled=self.dtype != torch.float32):
            logits = self._answer(x)
        loss = F.cross_entropy(logits, target, label_smoothing=recipe.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        with torch.no_grad():
            loss_sum = float(F.cross_entropy(logits.detach(), target, reduction="sum"))
            correct = int((logits.argmax(1) == target).sum())
        sums = sum_over(world, torch.tensor([loss_sum, correct, len(target)], dtype=torch.float64)).tolist()
        if not math.isfinite(sums[0]):  # every process sees it in the same step
            raise _DivergedError(epoch + 1 + self.job.epochs_before, i + 1)
        self.at.loss_sum += sums[0]
        self.at.correct += int(sums[1])
        self.at.seen += int(sums[2])
        self.at.step += 1

    def _answer(self, x: torch.Tensor) -> torch.Tensor:
        try:
            return self.forward(x).float()  # type: ignore[no-any-return]
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise BadInput(
                "The network's normalisation needs at least two pictures per step (and process); "
                "give a --batch-size of 2 or more, and more training pictures."
            ) from None

    def _validate(self) -> tuple[float, float]:
        """-> validation loss and accuracy, the same in every process: each has its own running means until here."""
        job = self.job
        if job.world.size > 1:
            for buffer in self.network.buffers():
                buffer.copy_(agree(job.world, buffer.clone(memory_format=torch.contiguous_format)))
        logits = infer(self.network, job.val, job.world.device, self.dtype)
        loss = float(F.cross_entropy(logits, job.val.labels))
        accuracy = float((logits.argmax(1) == job.val.labels).float().mean())
        loss, accuracy = agree(job.world, torch.tensor([loss, accuracy], dtype=torch.float64)).tolist()
        if not math.isfinite(loss):
            raise _DivergedError(self.at.step // self.steps + job.epochs_before, self.steps)
        return loss, accuracy

    def _close_epoch(self) -> Epoch:
        job, at = self.job, self.at
        val_loss, val_accuracy = self._validate()
        number = at.step // self.steps + job.epochs_before
        best = val_loss < at.best_loss
        if best:
            at.best_loss, at.best_epoch = val_loss, number
            at.best = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
        elif number - at.best_epoch >= job.recipe.patience_epochs and at.step < self.total:
            at.ended = f"no lower validation loss for {number - at.best_epoch} epochs"
        row = EpochRow(
            number,
            job.phase,
            at.loss_sum / at.seen,
            at.correct / at.seen,
            val_loss,
            val_accuracy,
            job.recipe.lr * one_cycle(at.step - 1, self.total, job.recipe.warmup),
            at.seconds,
            best,
        )
        at.rows.append(_as_dict(row))
        at.loss_sum, at.correct, at.seen, at.seconds = 0.0, 0, 0, 0.0
        self.on_epoch(row)
        return Epoch(
            number,
            job.epochs + job.epochs_before,
            row.train_loss,
            row.train_accuracy,
            val_loss,
            val_accuracy,
            row.lr,
            row.seconds,
            best,
            job.phase,
        )

    def _save(self) -> None:
        self.saved_at = time.monotonic()
        if self.job.checkpoint is None or not self.job.world.leads:
            return
        state = {
            "phase": self.job.phase,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "at": {name: getattr(self.at, name) for name in _Standing.__slots__},
        }
        save_checkpoint(self.job.checkpoint, state)

    def _resume(self) -> None:
        if self.job.checkpoint is None or not self.job.checkpoint.exists():
            return
        state = load_checkpoint(self.job.checkpoint)
        try:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.at = _Standing(**state["at"])
            rows = [EpochRow(**row) for row in self.at.rows]
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
            raise BadModel(
                f"The checkpoint {self.job.checkpoint} does not fit this run ({reason}); delete it, and cutaway resume "
                "begins this stretch of training anew."
            ) from None
        for row in rows:
            self.on_epoch(row)
        if self.at.ended == "stopped":
            self.at.ended = ""
        epoch, i = divmod(self.at.step, self.steps)
        if i:
            seed = self.job.recipe.seed
            self.order = torch.randperm(self.n, generator=_generator(seed, 1, epoch + self.job.epochs_before))


def infer(network: nn.Module, source: Source, device: torch.device, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Network, source -> float32 logits (N, K) on the CPU, in eval mode, without augmentation."""
    network.eval()
    logits = []
    with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        for start in range(0, len(source.labels), _EVAL_BATCH):
            indices = torch.arange(start, min(start + _EVAL_BATCH, len(source.labels)))
            logits.append(network(source.batch(indices, None).to(device)).float().cpu())
    return torch.cat(logits).clone()


def _compiled(network: nn.Module, job: Job, steps: int) -> nn.Module:
    """The network through torch.compile where that was asked for, or pays: it shares the weights of the plain one."""
    long_on_gpu = job.world.device.type == "cuda" and steps >= _STEPS_WORTH_COMPILING
    if job.recipe.compile == "off" or (job.recipe.compile == "auto" and not long_on_gpu):
        return network
    return cast(nn.Module, torch.compile(network))


def _shared(network: nn.Module, world: World) -> nn.Module:
    if world.size == 1:
        return network
    ids = [world.device.index] if world.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(network, device_ids=ids)


def _mix(*numbers: int) -> int:
    """Several small numbers -> one 63-bit seed (splitmix64's constants)."""
    state = 0
    for number in numbers:
        state = (state ^ (number + 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9 % 2**64
        state ^= state >> 27
    return state % 2**63


def _generator(*numbers: int) -> torch.Generator:
    return torch.Generator().manual_seed(_mix(*numbers))


def _as_dict(row: EpochRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in EpochRow.__slots__}
