"""The loop on a toy problem: it learns, stops early, keeps the best weights, and says when the loss is lost."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cutaway.errors import BadInput, BadModel
from cutaway.events import Epoch, Event, Note
from cutaway.reports import EpochRow
from cutaway.training.device import World
from cutaway.training.loop import Fitted, Job, _compiled, _mix, fit, infer
from cutaway.training.schedule import one_cycle
from cutaway.training.source import VectorSource

Toy = Callable[..., Job]
Run = Callable[..., tuple[list[Event], Fitted]]


def line() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 2))


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@dataclass
class Spoilt:
    """A source whose batches are no numbers from the `after`-th on."""

    inner: VectorSource
    after: int
    asked: int = 0

    @property
    def labels(self) -> torch.Tensor:
        return self.inner.labels

    def batch(self, indices: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        self.asked += 1
        x = self.inner.batch(indices, generator)
        return x * math.nan if self.asked > self.after else x


@dataclass
class Watched:
    """A source that notes which samples it was asked for."""

    inner: VectorSource
    asked: list[list[int]]

    @property
    def labels(self) -> torch.Tensor:
        return self.inner.labels

    def batch(self, indices: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        if generator is not None:
            self.asked.append(indices.tolist())
        return self.inner.batch(indices, generator)


@pytest.mark.parametrize(
    "knobs", [{}, {"optimizer": "sgd"}, {"optimizer": "muon"}, {"precision": "bfloat16"}, {"label_smoothing": 0.1}]
)
def test_it_learns_to_tell_two_clouds_apart(toy: Toy, run_fit: Run, knobs: dict[str, Any]) -> None:
    events, fitted = run_fit(network := line(), toy(**knobs))
    epochs = [e for e in events if isinstance(e, Epoch)]
    assert [e.number for e in epochs] == [row.epoch for row in fitted.rows] == [1, 2, 3, 4]
    assert epochs[-1].val_accuracy > 0.9  # Bayes: 2 clouds 1.5 standard deviations from the line, diagonally: 98 %
    assert epochs[-1].train_loss < epochs[0].train_loss
    assert fitted.ended == "finished"
    assert not network.training


def test_a_row_says_what_happened(toy: Toy, run_fit: Run) -> None:
    """Losses against a forward pass by hand, the rate against the schedule."""
    job = toy(epochs=1, n=20, batch_size=20)
    with torch.no_grad():
        before = F.cross_entropy(line()(job.train.batch(torch.arange(20), None)), job.train.labels)
    told: list[EpochRow] = []
    _, fitted = run_fit(network := line(), job, on_epoch=told.append)
    (row,) = fitted.rows
    assert told == [row]
    assert row.train_loss == pytest.approx(float(before), rel=1e-5)  # one step: the loss before it
    logits = infer(network, job.val, job.world.device)
    assert row.val_loss == pytest.approx(float(F.cross_entropy(logits, job.val.labels)), rel=1e-6)
    assert row.val_accuracy == float((logits.argmax(1) == job.val.labels).float().mean())
    assert row.lr == pytest.approx(0.05 * one_cycle(0, 1, 0.25))
    assert row.best
    assert row.phase == "train"


def test_it_stops_before_the_end_and_returns_to_the_best_weights(toy: Toy, run_fit: Run) -> None:
    """Validation labels upside down: every epoch of learning makes validation worse."""
    job = toy(epochs=12, patience=3, val_upside_down=True)
    seen: list[dict[str, torch.Tensor]] = []
    network = line()
    events, fitted = run_fit(network, job, on_epoch=lambda _: seen.append(weights(network)))
    epochs = [e for e in events if isinstance(e, Epoch)]
    assert len(epochs) == fitted.best_epoch + 3 < 12
    assert fitted.ended == "no lower validation loss for 3 epochs"
    assert [e.best for e in epochs].count(True) == fitted.best_epoch
    assert equal(weights(network), seen[fitted.best_epoch - 1])
    assert not equal(weights(network), seen[-1])


def test_ctrl_c_keeps_the_best_weights(toy: Toy) -> None:
    network, seen = line(), []
    running = fit(network, toy(epochs=9, val_upside_down=True), on_epoch=lambda _: seen.append(weights(network)))
    finished = (event for event in running if isinstance(event, Epoch))
    best = [next(finished) for _ in range(3)]
    note = running.throw(KeyboardInterrupt())
    assert note == Note("Stopped: the best weights so far are kept.")
    with pytest.raises(StopIteration) as end:
        next(running)
    fitted = end.value.value
    assert (fitted.ended, len(fitted.rows)) == ("stopped", 3)
    number = max(e.number for e in best if e.best)
    assert fitted.best_epoch == number
    assert equal(weights(network), seen[number - 1])


def test_ctrl_c_in_the_first_epoch_keeps_the_latest_weights(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutaway.training.loop._PROGRESS_SECONDS", -1.0)
    network = line()
    first = weights(network)
    running = fit(network, toy(epochs=2))
    next(running)
    running.throw(KeyboardInterrupt())
    with pytest.raises(StopIteration) as end:
        next(running)
    assert end.value.value.rows == []
    assert not equal(weights(network), first)


def test_a_loss_that_is_no_number_ends_the_run_with_the_best_weights(toy: Toy, run_fit: Run) -> None:
    job = toy(epochs=6)  # 10 steps an epoch
    job = dataclasses.replace(job, train=Spoilt(job.train, after=23))  # type: ignore[arg-type]
    network, seen = line(), []
    events, fitted = run_fit(network, job, on_epoch=lambda _: seen.append(weights(network)))
    assert events[-1] == Note(
        "The loss was no longer a number in epoch 3, step 4: the best weights so far, of epoch 2, are kept; "
        "train with a lower --lr (it was 0.05)."
    )
    assert (fitted.ended, fitted.best_epoch, len(fitted.rows)) == ("diverged in epoch 3", 2, 2)
    assert equal(weights(network), seen[1])


def test_a_loss_that_is_no_number_in_the_first_epoch_is_an_error(toy: Toy, run_fit: Run) -> None:
    job = toy()
    job = dataclasses.replace(job, train=Spoilt(job.train, after=4), epochs_before=10)  # type: ignore[arg-type]
    said = (
        r"no longer a number in epoch 11, step 5, before any epoch had ended; train with a lower --lr \(it was 0.05\)"
    )
    with pytest.raises(BadModel, match=said):
        run_fit(line(), job)


def test_a_validation_loss_that_is_no_number_counts_too(toy: Toy, run_fit: Run) -> None:
    job = toy()
    job = dataclasses.replace(job, val=Spoilt(job.val, after=1))  # type: ignore[arg-type]
    _, fitted = run_fit(network := line(), job)
    assert (fitted.ended, fitted.best_epoch) == ("diverged in epoch 2", 1)
    assert all(bool(torch.isfinite(w).all()) for w in network.state_dict().values())


@pytest.mark.parametrize(
    ("n", "batch", "steps", "size"), [(25, 10, 2, 10), (20, 10, 2, 10), (5, 10, 1, 5), (3, 1, 3, 1)]
)
def test_an_incomplete_last_batch_is_left_out(
    toy: Toy, run_fit: Run, n: int, batch: int, steps: int, size: int
) -> None:
    job, asked = toy(n=n, batch_size=batch, epochs=3), []
    run_fit(line(), dataclasses.replace(job, train=Watched(job.train, asked)))  # type: ignore[arg-type]
    assert [len(batch) for batch in asked] == [size] * steps * 3
    epochs = [list(itertools.chain(*asked[i * steps : (i + 1) * steps])) for i in range(3)]
    assert all(len(set(epoch)) == len(epoch) for epoch in epochs)
    assert epochs[0] != epochs[1] or n < 4


def test_everything_follows_from_the_seed(toy: Toy, run_fit: Run) -> None:
    def trained(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed * 77)  # what ran before must not matter
        torch.rand(seed)
        network = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 2))
        with torch.no_grad():
            for weight in network.parameters():
                weight.copy_(torch.linspace(-1, 1, weight.numel()).view(weight.shape))
        run_fit(network, toy(seed=4 if seed < 3 else 5))
        return weights(network)

    assert equal(trained(1), trained(2))
    assert not equal(trained(1), trained(3))


@pytest.mark.parametrize("events", [1, 7, 10, 13, 25, 40])
def test_a_run_taken_up_from_its_checkpoint_ends_alike(
    toy: Toy, run_fit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: int
) -> None:
    """At an epoch's end and between; test_kill_resume says the same of whole runs."""
    monkeypatch.setattr("cutaway.training.loop._PROGRESS_SECONDS", -1.0)  # an event after every step
    whole: list[EpochRow] = []
    _, expected = run_fit(first := line(), toy(), on_epoch=whole.append)
    job = toy(checkpoint=tmp_path / "train.pt")
    running = fit(line(), job)
    assert len(list(itertools.islice(running, events))) == events
    running.close()
    told: list[EpochRow] = []
    _, got = run_fit(second := line(), job, on_epoch=told.append)
    assert equal(weights(first), weights(second))
    for rows in (told, got.rows):
        assert [dataclasses.replace(r, seconds=0) for r in rows] == [dataclasses.replace(r, seconds=0) for r in whole]
    assert (got.best_epoch, got.ended) == (expected.best_epoch, expected.ended)


def test_a_finished_stretch_is_not_trained_again(toy: Toy, run_fit: Run, tmp_path: Path) -> None:
    job = toy(checkpoint=tmp_path / "train.pt", epochs=3, val_upside_down=True, patience=1)
    _, first = run_fit(network := line(), job)
    events, second = run_fit(again := line(), job)
    assert events == []
    assert second == first
    assert equal(weights(network), weights(again))


def test_a_checkpoint_of_another_network_is_refused(toy: Toy, run_fit: Run, tmp_path: Path) -> None:
    job = toy(checkpoint=tmp_path / "train.pt")
    run_fit(line(), job)
    with pytest.raises(BadModel, match=r"train\.pt does not fit this run \(.*\); delete it, and cutaway resume begins"):
        run_fit(nn.Sequential(nn.Linear(2, 3)), job)
    torch.save({"network": line().state_dict()}, tmp_path / "train.pt")
    with pytest.raises(BadModel, match="does not fit this run \\('optimizer'\\)"):
        run_fit(line(), job)


def test_normalisation_of_single_pictures_is_told(toy: Toy, run_fit: Run) -> None:
    network = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    with pytest.raises(
        BadInput, match=r"normalisation needs at least two pictures per step .* --batch-size of 2 or more"
    ):
        run_fit(network, toy(batch_size=1))


def test_other_value_errors_of_a_network_are_not_hidden(toy: Toy, run_fit: Run) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2, 2))

        def forward(self, _: torch.Tensor) -> torch.Tensor:
            raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        run_fit(Odd(), toy())


@pytest.mark.parametrize(("n", "batch"), [(2, 20), (200, 3)])
def test_more_processes_than_pictures_in_a_batch_are_refused(toy: Toy, run_fit: Run, n: int, batch: int) -> None:
    job = dataclasses.replace(toy(n=n, batch_size=batch), world=World(0, 4, torch.device("cpu")))
    with pytest.raises(BadInput, match=f"4 processes cannot share batches of {min(n, batch)} pictures; start fewer"):
        run_fit(line(), job)


@pytest.mark.parametrize(
    ("asked", "device", "steps", "compiled"),
    [
        ("auto", "cpu", 10**6, False),
        ("auto", "cuda", 10, False),
        ("auto", "cuda", 10**6, True),
        ("on", "cpu", 10, True),
        ("off", "cuda", 10**6, False),
    ],
)
def test_compiled_where_asked_or_where_it_pays(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, asked: str, device: str, steps: int, compiled: bool
) -> None:
    monkeypatch.setattr(torch, "compile", lambda network: nn.Sequential(network))
    job = dataclasses.replace(toy(compile=asked), world=World(0, 1, torch.device(device)))
    network = line()
    assert (_compiled(network, job, steps) is not network) == compiled


def test_answers_of_300_pictures_are_the_networks_own() -> None:
    source = VectorSource(torch.randn(300, 2), torch.zeros(300, dtype=torch.int64))
    network = line().train()
    logits = infer(network, source, torch.device("cpu"))
    assert not network.training
    assert logits.shape == (300, 2)
    assert torch.allclose(logits, network(source.vectors), atol=1e-6)
    logits += 1  # an ordinary tensor, not one of inference mode


def test_seeds_do_not_meet() -> None:
    """40,000 neighbouring (seed, purpose, step, rank) give 40,000 different 63-bit numbers that look random."""
    seeds = np.array([_mix(s, k, i, r) for s in range(5) for k in range(4) for i in range(1000) for r in range(2)])
    assert len(set(seeds.tolist())) == 40_000
    assert seeds.min() >= 0
    bits = (seeds[:, None] >> np.arange(63)) & 1
    assert abs(bits.mean(0) - 0.5).max() < 6 * 0.5 / 200  # six standard deviations of a fair coin
