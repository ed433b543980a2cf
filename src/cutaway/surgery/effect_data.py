"""What edits do on a whole data set: every model's answers, what no edit changes run once; and what they say."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.engine.cut import CutCache
from cutaway.engine.fast import BATCH
from cutaway.engine.numbering import Numbers
from cutaway.engine.prepare import prepare
from cutaway.engine.trace import first_non_finite
from cutaway.errors import BadInput, BadModel
from cutaway.events import Progress
from cutaway.graph.names import names_of
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.reports import Measured
from cutaway.reports.metrics import measure, softmax
from cutaway.surgery.effect import logits_of

Rows = Callable[[NDArray[np.int64]], NDArray[np.uint8]]
Logits = NDArray[np.float32]
CHUNK = 64
"""Pictures whose values at the cut are kept at a time: memory does not grow with the data set."""
MOST_BYTES = 500_000_000


@dataclass(frozen=True)
class Batches(Sequence[torch.Tensor]):
    """Pictures `at` a data set as prepared batches (n, C, H, W), each made when it is asked for."""

    rows: Rows
    contract: InputContract
    at: NDArray[np.int64]

    def __len__(self) -> int:
        return -(-len(self.at) // BATCH)

    @overload
    def __getitem__(self, index: int) -> torch.Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[torch.Tensor]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return prepare(self.rows(self.at[index * BATCH : (index + 1) * BATCH]), self.contract)


@dataclass(frozen=True, slots=True)
class Flip:
    """One picture whose answer is another than before: class and probability of both; `true` where it is known."""

    name: str
    true: str | None
    before: tuple[str, float]
    after: tuple[str, float]

    def to_dict(self) -> dict[str, Any]:
        sides = {
            when: {"class": name, "probability": round(p, 6)}
            for when, (name, p) in (("before", self.before), ("after", self.after))
        }
        return {"picture": self.name, "true": self.true, **sides}


@dataclass(frozen=True, slots=True)
class DataEffect:
    """Two models on the same `n` pictures. `before`, `after`: what was measured, None where pictures have no labels.

    `flips`: the pictures with another answer, the surest changes first. `apart`: mean total variation distance of the
    two models' probabilities, half the sum of |difference| over classes, in [0, 1].
    """

    data: str
    n: int
    before: Measured | None
    after: Measured | None
    flips: tuple[Flip, ...]
    apart: float

    @property
    def agreement(self) -> float:
        """Share of the pictures with the same answer before and after, in [0, 1]."""
        return 1 - len(self.flips) / self.n

    @property
    def won(self) -> int:
        """Pictures that were wrong and are right."""
        return sum(f.after[0] == f.true for f in self.flips)

    @property
    def lost(self) -> int:
        """Pictures that were right and are wrong."""
        return sum(f.before[0] == f.true for f in self.flips)

    def to_dict(self) -> dict[str, Any]:
        sides = {"before": _figures(self.before), "after": _figures(self.after)}
        return {
            "data": self.data, "pictures": self.n, "agreement": self.agreement, "apart": round(self.apart, 6),
            **sides, "won": self.won if self.before else None, "lost": self.lost if self.before else None,
            "flips": [f.to_dict() for f in self.flips],
        }  # fmt: skip


def all_answers(
    models: Sequence[Model], rows: Mapping[InputContract, Rows], count: int, task: str = "answer"
) -> Generator[Progress, None, list[Logits]]:
    """Models, for each of their contracts the reader of fitted pictures, how many -> logits (N, K) of each model.

    Models of one contract share what is the same in all of them: that part runs once (engine.cut). Equal to running
    each alone, bit for bit. Raises BadModel naming a layer that cannot work.
    """
    found: list[list[Logits]] = [[] for _ in models]
    groups: dict[InputContract, list[int]] = {}
    for number, model in enumerate(models):
        groups.setdefault(model.contract, []).append(number)
    done, total = 0, count * len(models)
    for contract, members in groups.items():
        first = models[members[0]].graph
        cut = different([models[n] for n in members])
        for start in range(0, count, CHUNK):
            at = np.arange(start, min(start + CHUNK, count))
            cache = CutCache(first, cut, Batches(rows[contract], contract, at), most_bytes=MOST_BYTES)
            for n in members:
                known = found[members[0]][-1] if n != members[0] and not cut else None
                outputs = [] if known is not None else list(cache.outputs(models[n].graph))
                found[n].append(known if known is not None else logits_of(models[n], torch.cat(outputs)))
                done += len(at)
                yield Progress(task, done, total, "answers")
    return [np.concatenate(parts) for parts in found]


def different(models: Sequence[Model]) -> tuple[str, ...]:
    """Models of one origin -> names of the steps of the first that are not the same in all the others."""
    numbers = Numbers().of(models[0].graph)
    first = numbers.of_step
    shared = set(first.values())
    for model in models[1:]:
        shared &= set(numbers.of(model.graph).of_step.values())
    names = {node: name for name, node in names_of(models[0].graph).items()}
    return tuple(names[node] for node, number in first.items() if number not in shared)


def data_effect(
    data: str,
    models: tuple[Model, Model],
    logits: tuple[Logits, Logits],
    names: Sequence[str],
    labels: NDArray[np.int64] | None,
) -> DataEffect:
    """Both models, their logits (N, K), names and labels (N,) of the pictures (None: not labelled) -> DataEffect.

    Raises BadInput where the models do not have the same number of classes or no picture was given, BadModel where an
    answer is not a finite number.
    """
    if not names:
        raise BadInput(f"No picture of {data} was given.")
    if logits[0].shape != logits[1].shape:
        raise BadInput(
            f"The first model answers with {logits[0].shape[1]} classes and the edited one with {logits[1].shape[1]}; "
            "on a data set two models of the same classes can be compared (one picture works)."
        )
    shares = [softmax(z / m.temperature) for z, m in zip(logits, models, strict=True)]
    best = [p.argmax(1) for p in shares]
    flips = [_flip(names[i], i, models, shares, best, labels) for i in np.flatnonzero(best[0] != best[1]).tolist()]
    flips.sort(key=lambda f: -(f.before[1] + f.after[1]))
    apart = float(np.abs(shares[0] - shares[1]).sum(1).mean() / 2)
    told = [None, None] if labels is None else [_measured(m, z, names, labels) for m, z in zip(models, logits)]
    return DataEffect(data, len(names), told[0], told[1], tuple(flips), apart)


def must_be_finite(model: Model, logits: Logits, rows: Rows, names: Sequence[str], what: str) -> None:
    """Model and its answers -> nothing. Raises BadModel naming the first layer that gives no finite number."""
    bad = np.flatnonzero(~np.isfinite(logits).all(1))
    if not len(bad):
        return
    layer = first_non_finite(model.graph, prepare(rows(bad[:1]), model.contract)) or "the last layer"
    raise BadModel(
        f"{what} gives no finite answer to {len(bad):,} of {len(logits):,} pictures (the first: {names[bad[0]]}): "
        f"{layer} is the first layer with NaN or infinity; undo what changed it."
    )


def _measured(model: Model, logits: Logits, names: Sequence[str], labels: NDArray[np.int64]) -> Measured:
    # the probabilities that `predict` shows, and `rank` counts with
    return measure("all", names, labels, logits / model.temperature, model.classes)


def _flip(
    name: str,
    i: int,
    models: tuple[Model, Model],
    shares: Sequence[NDArray[np.float64]],
    best: Sequence[NDArray[np.int64]],
    labels: NDArray[np.int64] | None,
) -> Flip:
    classes = models[0].classes or tuple(f"class {n}" for n in range(shares[0].shape[1]))
    sides = [(classes[int(b[i])], float(p[i, b[i]])) for p, b in zip(shares, best, strict=True)]
    return Flip(name, None if labels is None else classes[int(labels[i])], sides[0], sides[1])


def _figures(measured: Measured | None) -> dict[str, Any] | None:
    if measured is None:
        return None
    figures = {"accuracy": measured.accuracy, "low": measured.low, "high": measured.high, "loss": measured.loss}
    classes = {c.name: {"recall": round(c.recall, 6), "pictures": c.support} for c in measured.classes}
    if measured.calibration is not None:
        figures["ece"] = measured.calibration.ece
    return {key: round(value, 6) for key, value in figures.items()} | {"classes": classes}
