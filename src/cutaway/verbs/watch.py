"""watch: one picture through the network, layer by layer, on one sheet."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cutaway.draw.scene import Block
    from cutaway.explanation.why_black import Why
    from cutaway.image import Image
    from cutaway.model import Model

BEST = 8
"""Classes at the end of the sheet."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Watch one picture go through a network: input as it sees it, feature maps layer by layer, probabilities."""

    model: str
    """Run, its name under runs/, last, or any model file."""
    picture: str
    """A photo, or sample:NAME."""
    layers: str = ""
    """Names of layers or blocks with commas between, a family (conv, pool, ...) or all; default a telling few."""
    scale: Literal["channel", "layer", "network"] = "layer"
    """What shares one scale of colours."""
    channels: int = 10
    """Maps of each layer to show; fewer are larger."""
    order: Literal["contrast", "strength", "index"] = "contrast"
    """Which maps come first: those that vary most over the picture, the largest mean of |value|, or by number."""
    out: str = ""
    """The sheet, .png or .svg; default watch-MODEL.png in this folder."""

    def __post_init__(self) -> None:
        from cutaway.errors import must_be

        if self.channels < 1:
            raise must_be("channels", "at least 1", self.channels)
        if self.scale not in ("channel", "layer", "network"):
            raise must_be("scale", "channel, layer or network", self.scale)
        if self.order not in ("contrast", "strength", "index"):
            raise must_be("order", "contrast, strength or index", self.order)


@dataclass(frozen=True, slots=True)
class WatchedLayer:
    """One shown layer: its output's shape without the batch axis, its range, channels that are silent.

    A channel is silent where it is zero, or the same everywhere.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    min: float
    max: float
    mean: float
    silent: tuple[int, ...]
    not_finite: int = 0
    why: tuple[Why, ...] = ()
    """Of each silent channel, the reason."""


@dataclass(frozen=True, slots=True)
class WatchResult:
    """The sheet's path, what was shown, the likeliest classes with probabilities in [0, 1], the likeliest first."""

    model: str
    picture: str
    path: Path
    scale: str
    layers: tuple[WatchedLayer, ...]
    top: tuple[tuple[str, float], ...]

    def to_dict(self) -> dict[str, Any]:
        shown = [
            {
                "name": row.name, "kind": row.kind, "shape": list(row.shape), "min": _plain(row.min),
                "max": _plain(row.max), "mean": _plain(row.mean), "silent": list(row.silent),
                "not_finite": row.not_finite, "why": [why.to_dict() for why in row.why],
            }
            for row in self.layers
        ]  # fmt: skip
        top = [{"class": name, "probability": round(p, 6)} for name, p in self.top]
        return {"model": self.model, "picture": self.picture, "path": str(self.path), "scale": self.scale,
                "layers": shown, "top": top}  # fmt: skip


def _run(options: WatchOptions) -> Generator[Event, None, WatchResult]:
    from cutaway.draw.maps import LayerValues, maps_blocks, summary_of
    from cutaway.engine.prepare import prepare
    from cutaway.engine.silent import channels_last
    from cutaway.engine.single import of_one_picture
    from cutaway.engine.trace import trace_steps
    from cutaway.events import Note
    from cutaway.explanation.why_black import why_layers
    from cutaway.graph.names import step_named
    from cutaway.graph.shapes import shapes_of
    from cutaway.image.fit import fit_picture
    from cutaway.verbs.find import find_model, made_now
    from cutaway.verbs.layer_choice import choose_layers, kind_at
    from cutaway.verbs.picture_file import picture_file

    path = picture_file(options.out, "watch", options.model)
    model = find_model(options.model)
    yield from made_now(options.model, model)
    picture = one_picture(options.picture, model)
    contract = model.contract
    shapes = shapes_of(model.graph, (contract.in_channels, *contract.size))
    names = choose_layers(model.graph, shapes, options.layers)
    fitted = fit_picture(picture, contract)  # (H, W, 3)
    x = prepare(fitted[None], contract)  # (1, C, H, W)
    trace = trace_steps(model.graph, x, names)
    nodes = {name: step_named(model.graph, name) for name in names}
    layers = [
        LayerValues(
            name,
            kind_at(model.graph, node),
            of_one_picture(trace[name].float().numpy(), last=channels_last(model.graph, node)),
        )
        for name, node in nodes.items()
    ]
    if trace.non_finite:
        yield Note(f"{trace.non_finite} gives values that are not finite; they are drawn grey.")
    shares = model.predict([picture])[0]
    top = _likeliest(shares, model.classes)
    blocks = [
        _input(picture, fitted, x.numpy()[0], model),
        *maps_blocks(layers, scale=options.scale, most=options.channels, order=options.order),
        _answers(top, len(shares)),
    ]
    _write(path, _titles(options, picture.name, model, top), blocks)
    summaries = [summary_of(layer.values) for layer in layers]
    silent = {layer.name: told.silent for layer, told in zip(layers, summaries, strict=True) if told.silent}
    why = why_layers(model, silent, x) if silent else {}
    rows = []
    for layer, told in zip(layers, summaries, strict=True):
        numbers = (told.min, told.max, told.mean, told.silent, told.not_finite, why.get(layer.name, ()))
        rows.append(WatchedLayer(layer.name, layer.kind, told.shape, *numbers))
    return WatchResult(options.model, picture.name, path, options.scale, tuple(rows), top)


def one_picture(typed: str, model: Model) -> Image:
    """A photo's path or sample:NAME -> that picture, as `predict` reads it. Raises BadInput for none or several."""
    from cutaway.dataset.loose import open_pictures
    from cutaway.errors import BadInput
    from cutaway.image.fit import target_px

    dataset = open_pictures((typed,))
    if len(dataset) != 1:
        raise BadInput(f"One picture is watched at a time, and {typed} holds {len(dataset)}; name one of them.")
    return dataset.read(0, target_px(model.contract))


def _likeliest(shares: NDArray[np.float32], classes: Sequence[str]) -> tuple[tuple[str, float], ...]:
    order = (-shares).argsort(kind="stable")[:BEST]
    return tuple((classes[i] if i < len(classes) else f"class {i}", float(shares[i])) for i in order)


def _input(picture: Image, fitted: NDArray[np.uint8], numbers: NDArray[Any], model: Model) -> Block:
    from cutaway.draw.input_view import input_block
    from cutaway.image.kept import kept_box

    names = {"RGB": ("red", "green", "blue"), "BGR": ("blue", "green", "red"), "gray": ("brightness",)}
    kept = kept_box(picture.pixels.shape[:2], model.contract)
    return input_block(picture.pixels, kept, fitted, numbers, names[model.contract.channels], size=picture.stored_size)


def _answers(top: Sequence[tuple[str, float]], classes: int) -> Block:
    from cutaway.draw.flat import probabilities_block
    from cutaway.draw.maps import AREA, LABELS
    from cutaway.draw.scene import MUTED, Block, Words, moved

    bars = probabilities_block(top, classes - len(top), AREA, 220)
    words = (Words(0, 14, "answer", 16, strong=True), Words(0, 32, f"probabilities of {classes} classes", 13, MUTED))
    return Block(bars.height, (*words, *moved(bars.marks, LABELS, 0)))


def _titles(options: WatchOptions, picture: str, model: Model, top: Sequence[tuple[str, float]]) -> tuple[str, ...]:
    """-> title and the lines below it."""
    from pathlib import Path

    from cutaway.verbs.model_name import title_of

    best, share = top[0]
    network = title_of(options.model)
    legend = (
        "Zero is white, above zero orange to brown, below zero blue. Hatched: silent (zero or the same everywhere)."
    )
    which = {"channel": "Each map has a scale of its own.", "layer": "Maps of one layer share a scale.",
             "network": "All layers share one scale."}[options.scale]  # fmt: skip
    order = {"contrast": "those that vary most over the picture", "strength": "the strongest",
             "index": "by number"}[options.order]  # fmt: skip
    answer = f"{Path(picture).name.removeprefix('sample:')} → {best}, {share:.1%}".replace("%", " %")
    return (
        answer,
        f"{network}: {model.contract.describe()}.",
        f"{legend} {which} Of each layer: {order}, {options.channels} at most.",
    )


def _write(path: Path, titles: tuple[str, ...], blocks: Sequence[Block]) -> None:
    from cutaway.draw.scene import page

    scene = page(titles[0], titles[1:], blocks)
    if path.suffix.lower() == ".svg":
        path.write_text(scene.svg(), encoding="utf-8")
    else:
        path.write_bytes(scene.png())


def _plain(value: float) -> float | None:
    """JSON has no NaN."""
    return None if value != value else round(value, 6)


watch = Verb("watch", WatchOptions, _run)
