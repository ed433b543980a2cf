"""silent: which channels of a network never fire on a data set, layer by layer."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Event, Note, Progress
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from cutaway.dataset import Dataset
    from cutaway.draw.scene import Scene
    from cutaway.explanation.why_black import Why
    from cutaway.image import InputContract
    from cutaway.model import Model


CLOSER = 16
"""Pictures on which the reasons of silent channels are measured."""


@dataclass(frozen=True, slots=True)
class SilentOptions:
    """Find the channels of a network that never fire on your photos, layer by layer."""

    model: str
    """Run, its name under runs/, last, or any model file."""
    data: str
    """Photos: a folder, an archive, a table, a data set by name, one photo or sample:NAME."""
    layer: str = ""
    """Names separated by commas, a kind (relu), a family (conv) or all; default every activation."""
    threshold: float = 0.0
    """A channel fires where it is above this; more than 0 also finds channels that hardly do."""
    threads: int | None = None
    """Processor threads; default: all that torch takes."""
    out: str = ""
    """The chart, .png or .svg; default silent-MODEL.png in this folder."""

    def __post_init__(self) -> None:
        import math

        from cutaway.errors import must_be

        if not math.isfinite(self.threshold):
            raise must_be("threshold", "a finite number", self.threshold)
        if self.threads is not None and self.threads < 1:
            raise must_be("threads", "at least 1", self.threads)


@dataclass(frozen=True, slots=True)
class SilentLayer:
    """One layer: its channels that never fire and those that fire on fewer than 1 % of the pictures, by number.

    `rule`: "zero", never firing is never being above the threshold; "constant", always giving the same value within
    1e-5 of the layer's largest. `rare` is None where firing means nothing (a sigmoid is never zero).
    """

    name: str
    kind: str
    rule: str
    channels: int
    silent: tuple[int, ...]
    rare: tuple[int, ...] | None
    why: tuple[Why, ...] = ()
    """Of each silent channel, the reason, measured on CLOSER of the pictures."""

    @property
    def share(self) -> float:
        """Of the channels, how many never fire, in [0, 1]."""
        return len(self.silent) / self.channels


@dataclass(frozen=True, slots=True)
class SilentResult:
    """Layers in running order, over how many of the pictures, which could not be read and why, the chart's path.

    `stopped`: Ctrl-C ended it early, and only `pictures` of `of` were seen. `non_finite`: the first of the layers that
    gave NaN or infinity, "" for none.
    """

    model: str
    data: str
    pictures: int
    of: int
    unreadable: tuple[tuple[str, str], ...]
    stopped: bool
    threshold: float
    layers: tuple[SilentLayer, ...]
    non_finite: str
    path: Path

    @property
    def channels(self) -> int:
        return sum(layer.channels for layer in self.layers)

    @property
    def silent(self) -> int:
        return sum(len(layer.silent) for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        layers = [
            {
                "name": row.name, "kind": row.kind, "rule": row.rule, "channels": row.channels,
                "silent": list(row.silent), "rare": None if row.rare is None else list(row.rare),
                "why": [why.to_dict() for why in row.why],
            }
            for row in self.layers
        ]  # fmt: skip
        return {
            "model": self.model, "data": self.data, "pictures": self.pictures, "of": self.of,
            "unreadable": [{"name": name, "error": why} for name, why in self.unreadable], "stopped": self.stopped,
            "threshold": self.threshold, "channels": self.channels, "silent": self.silent, "layers": layers,
            "non_finite": self.non_finite, "path": str(self.path),
        }  # fmt: skip


def _run(options: SilentOptions) -> Generator[Event, None, SilentResult]:
    from cutaway.dataset.words import none_of
    from cutaway.engine.silent import ChannelCounter
    from cutaway.engine.stream import stream
    from cutaway.errors import BadInput
    from cutaway.graph.names import step_named
    from cutaway.graph.shapes import shapes_of
    from cutaway.verbs.find import find_model
    from cutaway.verbs.layer_choice import choose_layers, kind_at
    from cutaway.verbs.picture_file import picture_file

    path = picture_file(options.out, "silent", options.model)
    model = find_model(options.model)
    graph, contract = model.graph, model.contract
    shapes = shapes_of(graph, (contract.in_channels, *contract.size))
    names = [
        name for name in choose_layers(graph, shapes, options.layer or "activation")
        if len(shapes[step_named(graph, name).name]) > 1
    ]  # fmt: skip
    dataset = _pictures(options.data)
    counter = ChannelCounter(graph, names, options.threshold)
    unreadable: list[tuple[str, str]] = []
    stopped = False
    try:
        batches = _batches(dataset, contract, unreadable)
        for done in stream(graph, batches, names, counter, look=counter.look, threads=options.threads):
            yield Progress("silent", done + len(unreadable), len(dataset), "pictures")
    except KeyboardInterrupt:
        if not counter.pictures:
            raise
        stopped = True
        yield Note(f"Stopped: what follows is over the first {counter.pictures:,} of {len(dataset):,} pictures.")
    if not counter.pictures:
        raise BadInput(
            f"{none_of(len(dataset), 'picture')} of {options.data} can be read (the first: {unreadable[0][0]}, "
            f"{unreadable[0][1]}); nothing was measured."
        )
    found = counter.found()
    kinds = {name: kind_at(graph, step_named(graph, name)) for name in names}
    why = _reasons(model, dataset, [(f.layer, f.silent) for f in found], 0 if stopped else counter.pictures)
    result = SilentResult(
        options.model, options.data, counter.pictures, len(dataset), tuple(sorted(unreadable)), stopped,
        options.threshold,
        tuple(SilentLayer(f.layer, kinds[f.layer], f.rule, f.channels, f.silent, f.rare, why.get(f.layer, ()))
              for f in found),
        next((f.layer for f in found if not f.finite), ""), path,
    )  # fmt: skip
    scene = _chart(result)
    if path.suffix.lower() == ".svg":
        path.write_text(scene.svg(), encoding="utf-8")
    else:
        path.write_bytes(scene.png())
    return result


def _reasons(
    model: Model, dataset: Dataset, silent: Sequence[tuple[str, tuple[int, ...]]], pictures: int
) -> dict[str, tuple[Why, ...]]:
    """Layer: why each of its silent channels is, by CLOSER pictures spread over the data."""
    from cutaway.explanation.why_black import why_layers

    worth = {layer: channels for layer, channels in silent if channels}
    step = max(1, len(dataset) // CLOSER)
    x = next(_batches(dataset, model.contract, [], range(0, len(dataset), step), CLOSER), None) if worth else None
    return {} if x is None else why_layers(model, worth, x, pictures)


def _pictures(typed: str) -> Dataset:
    """What was typed for the data -> its pictures, labelled or not. Raises BadInput, Offline."""
    from cutaway.dataset.loose import open_pictures
    from cutaway.dataset.scan import open_dataset
    from cutaway.errors import BadInput

    try:
        return open_dataset(typed)
    except BadInput as refused:
        try:
            return open_pictures((typed,))
        except BadInput:
            raise refused from None


def _batches(
    dataset: Dataset,
    contract: InputContract,
    unreadable: list[tuple[str, str]],
    rows: Sequence[int] = (),
    size: int = 0,
) -> Iterator[torch.Tensor]:
    """Dataset -> prepared batches of `size` (0: the quickest), as the pictures of `rows` (none: all) are decoded;
    `unreadable` fills with (name, why)."""
    import numpy as np

    from cutaway.dataset.decode import fitted
    from cutaway.engine.fast import BATCH
    from cutaway.engine.prepare import prepare
    from cutaway.errors import BadPicture

    pixels = []
    for index, got in fitted(dataset, rows or range(len(dataset)), contract):
        if isinstance(got, BadPicture):
            unreadable.append((dataset.samples[index].name, f"{got.code}: {got.detail}"))
            continue
        pixels.append(got.pixels)
        if len(pixels) == (size or BATCH):
            yield prepare(np.stack(pixels), contract)
            pixels.clear()
    if pixels:
        yield prepare(np.stack(pixels), contract)


def _chart(result: SilentResult) -> Scene:
    from cutaway.draw.silence import Row, silence_chart
    from cutaway.verbs.model_name import data_title, title_of

    rows = [Row(r.name, r.channels, len(r.silent), None if r.rare is None else len(r.rare)) for r in result.layers]
    network = title_of(result.model)
    return silence_chart(
        rows, title=f"Silent channels of {network}", pictures=result.pictures, data=data_title(result.data)
    )


silent = Verb("silent", SilentOptions, _run)
