"""Photos and a model, opened to look at its layers: their labels, what the run has seen of them, the streaming."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadInput
from cutaway.events import Event, Note, Progress
from cutaway.verbs.find import find_model, run_of
from cutaway.verbs.model_name import stem_of
from cutaway.verbs.photos import Photos, gathered, open_photos

if TYPE_CHECKING:
    import torch

    from cutaway.explanation.features import VectorFiles
    from cutaway.model import Model
    from cutaway.training.run_folder import RunFolder


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """`labels` (N,) index `classes`, -1 where nobody has said; `judged`: they are the model's classes, in its order.

    `unlike`: where they are other classes, that in a sentence. `fold`: which of the data's folds (or of the run's,
    where the data has none) these photos are; "all" of them.
    """

    model: Model
    photos: Photos
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    judged: bool
    unlike: str
    fold: str

    @property
    def sha256s(self) -> tuple[str | None, ...]:
        return self.photos.pixels[self.model.contract.pixel_key].sha256s


def opened(model: str, data: str, fold: str, most: int | None) -> Generator[Event, None, Opened]:
    """What was typed -> the photos of that fold that can be read, at most so many of them, drawn evenly.

    Photos without folds of their own have those of the run that was trained on them. Raises BadInput, BadModel.
    """
    network = find_model(model)
    dataset, labelled, unlike = open_photos(data, network.classes)
    own_folds = any(s.fold for s in dataset.samples)
    run = run_of(model)
    from_run = run is not None and not own_folds
    photos = yield from gathered(
        (dataset, labelled, ""), data, [network.contract], "all" if from_run else fold, None if from_run else most
    )
    folds = {s.fold for s in photos.dataset.samples}
    used = str(next(iter(folds))) if own_folds and len(folds) == 1 else "all"
    learnt = _learnt(run, photos.pixels[network.contract.pixel_key].sha256s)
    if from_run:
        photos, learnt, used = _of_run(photos, learnt, fold, data)
        if most is not None and most < len(photos):
            keep = np.sort(np.random.default_rng(0).permutation(len(photos))[:most])
            photos, learnt = taken(photos, keep), [learnt[i] for i in keep]
    known = sum(f in ("train", "val") for f in learnt)
    if known:
        yield Note(
            f"This run has learnt from {known:,} of these {len(photos):,} pictures: their classes lie farther apart "
            "than those of new ones."
        )
    labels = np.array([-1 if s.label is None else s.label for s in photos.dataset.samples], np.int64)
    return Opened(network, photos, photos.dataset.classes, labels, labelled, unlike, used)


def taken(photos: Photos, keep: NDArray[np.int64]) -> Photos:
    """Photos, which of them -> those."""
    labels = None if photos.labels is None else photos.labels[keep]
    pixels = {key: pictures.take(keep) for key, pictures in photos.pixels.items()}
    return dataclasses.replace(photos, dataset=photos.dataset.take(keep.tolist()), labels=labels, pixels=pixels)


def streamed(
    source: Opened, layers: Sequence[str], files: VectorFiles, threads: int | None, task: str
) -> Generator[Event, None, None]:
    """Photos, layers -> their pooled vectors in `files`, progress told."""
    from cutaway.engine.stream import stream

    for done in stream(source.model.graph, _batches(source), layers, files, threads=threads):
        yield Progress(task, done, len(source.photos), "pictures")


def class_names(model: Model, count: int) -> tuple[str, ...]:
    """Model, number of its outputs -> their names; numbered where it has none."""
    return model.classes if len(model.classes) == count else tuple(f"class {k}" for k in range(count))


def free_stem(verb: str, model: str, endings: Sequence[str]) -> str:
    """Verb, what was typed for the model -> VERB-MODEL, with -2, -3, ... until no file with such an ending is there."""
    stem = f"{verb}-{stem_of(model)}"
    for n in range(1, 100_000):
        name = f"{stem}{'' if n == 1 else f'-{n}'}"
        if not any(Path(name + ending).exists() for ending in endings):
            return name
    raise BadInput(f"There are too many files named {stem} here; name one with --out.")


def _batches(source: Opened) -> Iterator[torch.Tensor]:
    from cutaway.engine.fast import BATCH
    from cutaway.engine.prepare import prepare

    contract = source.model.contract
    rows = source.photos.rows([contract])[contract]
    for start in range(0, len(source.photos), BATCH):
        yield prepare(rows(np.arange(start, min(start + BATCH, len(source.photos)))), contract)


def _learnt(run: RunFolder | None, sha256s: Sequence[str | None]) -> list[str | None]:
    """The fold that each picture had when the run was trained, by its content; None for pictures new to it."""
    if run is None or not run.data.exists():
        return [None] * len(sha256s)
    pictures = run.read_json(run.data).get("folds", {}).get("pictures", {})
    return [pictures.get(sha, {}).get("fold") for sha in sha256s]


def _of_run(photos: Photos, learnt: list[str | None], fold: str, typed: str) -> tuple[Photos, list[str | None], str]:
    if fold == "auto":
        fold = "test" if "test" in learnt else "all"
    if fold == "all":
        return photos, learnt, fold
    keep = np.flatnonzero([f == fold for f in learnt])
    if not len(keep):
        there = ", ".join(sorted({f for f in learnt if f})) or "no folds"
        raise BadInput(f"{typed} has no {fold} fold ({there}); use --fold all.")
    return taken(photos, keep), [learnt[i] for i in keep], fold
