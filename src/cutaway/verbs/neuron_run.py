"""Options and a model -> what its units look for, and the page."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

from cutaway.engine.fast import BATCH
from cutaway.engine.prepare import prepare
from cutaway.engine.stream import stream
from cutaway.engine.threads import threads
from cutaway.events import Event, Note, Progress
from cutaway.explanation.dream import Dream, Recipe, dream
from cutaway.explanation.network import own_network
from cutaway.explanation.patches import ClassMean, Liveliest, PeakFinder, Peaks, clipped, place_of, seen_window
from cutaway.explanation.unit import Unit, layer_named, starred, unit_named
from cutaway.explanation.why_black import why_silent
from cutaway.graph.names import step_named
from cutaway.graph.receptive import ReceptiveField, receptive_fields
from cutaway.graph.shapes import shapes_of
from cutaway.model import Model
from cutaway.verbs.layer_choice import kind_at
from cutaway.verbs.model_name import data_title, title_of
from cutaway.verbs.neuron import NeuronOptions, NeuronResult, NeuronUnit, Patch
from cutaway.verbs.photos import Photos, gathered, open_photos

CHOSEN_ON = 500
"""Photos, drawn evenly, on which conv3[*] finds the most active channels."""
BINS = 30
MOST_WEAK = 9
LOOKED_AT = 32
"""Photos on which the reason is looked for why a channel never fires."""
Shown = Callable[[str, NDArray[np.uint8]], None]


@dataclass(frozen=True, slots=True)
class _Net:
    """The network that is run, its shapes and receptive fields by node name."""

    model: Model
    network: fx.GraphModule
    shapes: dict[str, tuple[int, ...]]
    fields: dict[str, ReceptiveField]

    def field(self, unit: Unit) -> ReceptiveField | None:
        return self.fields.get(unit.layer.node)


def units_of(
    options: NeuronOptions, model: Model, path: Path | None, shown: Shown | None = None
) -> Generator[Event, None, NeuronResult]:
    """Options, model, the page to write (None: none), what gets a unit's name and its picture as it grows -> result."""
    network, contract = own_network(model), model.contract
    shapes = shapes_of(network, (contract.in_channels, *contract.size))
    net = _Net(model, network, shapes, receptive_fields(network, shapes))
    for typed in options.unit:  # a name that is not there is told before the work
        _checked(typed, net)
    photos = None
    if options.data:
        found = open_photos(options.data, model.classes)[0]
        photos = yield from gathered((found, False, ""), options.data, (contract,), options.fold, options.most)
    units = yield from _meant(options, net, photos)
    peaks, stopped = (yield from _searched(options, net, units, photos)) if photos else ([None] * len(units), False)
    dreams: list[Dream | None] = [None] * len(units)
    for i, unit in enumerate(units if options.steps and not stopped else ()):
        made = yield from _dreamed(options, net, unit, shown)
        dreams[i] = made
        if made.stopped:
            stopped = True
            yield Note(f"Stopped at step {made.steps} of {unit.name}; what is done is kept.")
            break
    done = tuple(_told(options, net, u, p, d, photos) for u, p, d in zip(units, peaks, dreams, strict=True))
    seen = len(peaks[0]) if photos and peaks[0] is not None else 0
    result = NeuronResult(
        options.model, options.data, seen, len(photos) if photos else 0, photos.unreadable if photos else (),
        stopped, done, path,
    )  # fmt: skip
    if path is not None:
        _write(result, model, path)
    return result


def _checked(typed: str, net: _Net) -> None:
    if layer := starred(typed):
        layer_named(layer, net.network, net.shapes)
    else:
        unit_named(typed, net.network, net.shapes, net.model.classes)


def _meant(options: NeuronOptions, net: _Net, photos: Photos | None) -> Generator[Event, None, list[Unit]]:
    """What was typed -> units, conv3[*] as its most active channels; without photos, on noise."""
    found: list[Unit] = []
    for typed in options.unit:
        name = starred(typed)
        if not name:
            found.append(unit_named(typed, net.network, net.shapes, net.model.classes))
            continue
        layer = layer_named(name, net.network, net.shapes)
        counter = Liveliest(layer)
        rows = _even(len(photos), CHOSEN_ON) if photos else np.arange(4 * BATCH)
        batches = _batches(net.model, photos, rows) if photos else _noise(net.model, options.seed)
        for done in stream(net.network, batches, [layer.source], counter, threads=options.threads):
            yield Progress(f"most active of {name}", done, len(rows), "pictures")
        chosen = counter.channels(options.channels)
        where = f"{len(rows):,} photos" if photos else "random noise, as no photos were given"
        yield Note(f"The most active channels of {name}, on {where}: {', '.join(map(str, chosen))}.")
        found += [Unit(layer, channel) for channel in chosen]
    return list(dict.fromkeys(found))


def _searched(
    options: NeuronOptions, net: _Net, units: Sequence[Unit], photos: Photos
) -> Generator[Event, None, tuple[list[Peaks | None], bool]]:
    """Units, photos -> their peaks over the photos, and whether Ctrl-C ended it early."""
    finder = PeakFinder(units)
    layers = list(dict.fromkeys(unit.layer.source for unit in units))
    stopped = False
    try:
        batches = _batches(net.model, photos, np.arange(len(photos)))
        for done in stream(net.network, batches, layers, finder, threads=options.threads):
            yield Progress("search photos", done, len(photos), "pictures")
    except KeyboardInterrupt:
        if not finder.pictures:
            raise
        stopped = True
        yield Note(f"Stopped: what follows is over the first {finder.pictures:,} of {len(photos):,} photos.")
    return list(finder.found()), stopped


def _dreamed(options: NeuronOptions, net: _Net, unit: Unit, shown: Shown | None) -> Generator[Event, None, Dream]:
    field, middle, sees = net.field(unit), None, math.inf
    if unit.cell is not None and field is not None and not field.whole:
        top, left, bottom, right = field.window(*unit.cell)
        middle, sees = ((top + bottom) / 2, (left + right) / 2), float(min(bottom - top, right - left) + 1)
    recipe = Recipe(options.steps, options.seed)
    with threads(options.threads):
        return (
            yield from dream(
                net.network,
                net.model.contract,
                unit,
                recipe,
                middle=middle,
                sees=sees,
                task=f"picture for {unit.name}",
                shown=None if shown is None else functools.partial(shown, unit.name),
            )
        )


def _told(
    options: NeuronOptions, net: _Net, unit: Unit, peaks: Peaks | None, made: Dream | None, photos: Photos | None
) -> NeuronUnit:
    field = net.field(unit)
    kind = "class" if unit.target else kind_at(net.network, step_named(net.network, unit.layer.name))
    strongest: tuple[Patch, ...] = ()
    weakest: tuple[Patch, ...] = ()
    classes: tuple[ClassMean, ...] = ()
    counts: tuple[int, ...] = ()
    edges: tuple[float, ...] = ()
    fires: float | None = None
    if peaks is not None and photos is not None:
        top = peaks.strongest(options.patches, 0.0 if unit.layer.rests else -np.inf)
        strongest = _patches(net, unit, photos, top, peaks.high, peaks.high_at)
        weakest = _patches(net, unit, photos, peaks.weakest(min(options.patches, MOST_WEAK)), peaks.low, peaks.low_at)
        labels = photos.dataset.labels[: len(peaks)]
        classes = peaks.by_class(labels, photos.dataset.classes)
        counts, edges = _histogram(peaks.high)
        fires = float((peaks.high > 0).mean())
    never = peaks is not None and photos is not None and unit.layer.rests and not strongest
    why = _why(net, unit, photos, len(peaks)) if never and peaks is not None and photos is not None else ""
    sees = "whole" if field is None else field.text
    window = None if field is None or field.whole else field.size
    own = None if unit.cell is None else seen_window(field, unit.cell, net.model.contract.size)
    seen = None if own is None else clipped(own, net.model.contract.size)
    found = NeuronUnit(
        unit.name, unit.layer.name, kind, unit.channel, unit.cell, unit.target, sees, window, strongest, weakest, fires,
        counts, edges, classes, made, (), unit.layer.ceiling, seen, why,
    )  # fmt: skip
    return _with_sentences(found, unit, peaks)


def _why(net: _Net, unit: Unit, photos: Photos, searched: int) -> str:
    """A unit that fires on none of the photos -> why, in a sentence."""
    read = photos.rows((net.model.contract,))[net.model.contract]
    pixels = read(_even(searched, LOOKED_AT))
    return why_silent(net.model, unit.layer.name, unit.channel, pixels, searched).sentence


def _patches(
    net: _Net, unit: Unit, photos: Photos, rows: NDArray[np.intp], values: NDArray[np.float32], at: NDArray[np.int32]
) -> tuple[Patch, ...]:
    pixels = photos.rows((net.model.contract,))[net.model.contract](rows.astype(np.int64))
    field, size = net.field(unit), net.model.contract.size
    found = []
    for row, photo in zip(rows, pixels, strict=True):
        sample = photos.dataset.samples[row]
        cell = unit.cell or (int(at[row][0]), int(at[row][1]))
        label = "" if sample.label is None else photos.dataset.classes[sample.label]
        found.append(
            Patch(
                sample.name, label, float(values[row]), cell if unit.layer.maps else None,
                seen_window(field, cell, size),
                place_of(unit, field, cell, size), photo,
            )
        )  # fmt: skip
    return tuple(found)


def _with_sentences(found: NeuronUnit, unit: Unit, peaks: Peaks | None) -> NeuronUnit:
    """What follows from the numbers, for a reader who has none of them in mind."""
    says: list[str] = []
    made = found.picture
    if made is not None and made.flat:
        says.append("Nothing in a picture of noise changes it: no way leads uphill from there.")
    if peaks is not None and unit.layer.rests and not found.strongest:
        says.append(f"It never fires on these {len(peaks):,} photos.")
        if made is not None and made.value > 0:
            says.append(f"It is not dead: the made picture brings it to {made.value:.3g}; these photos lack it.")
        elif made is not None:
            says.append("No picture was found that makes it fire: it is dead, or held below zero by its bias.")
    elif peaks is not None and found.fires is not None and found.fires < 1:
        says.append(f"Its largest value is above zero on {found.fires:.1%} of {len(peaks):,} photos.")
    if len(found.classes) > 1 and found.strongest:
        first, second = found.classes[:2]
        if first.beats(second):
            means = f"mean {first.mean:.3g}, then {second.name} with {second.mean:.3g}"
            says.append(f"Of the classes it answers most to {first.name} ({means}).")
        else:
            says.append("No class stands out: the two highest means differ no more than chance can make them.")
    if found.times is not None and made is not None:
        says.append(f"The made picture brings it to {made.value:.3g}, {found.times:.2g} times the best photo.")
    elif made is not None and found.strongest:
        says.append(
            f"The made picture brings it to {made.value:.3g}, the best photo to {found.strongest[0].value:.3g}."
        )
    elif made is not None and peaks is None:
        says.append(f"The made picture brings it to {made.value:.3g}, plain grey to {made.grey:.3g}.")
    if unit.layer.ceiling is not None and (found.strongest or made is not None):
        says.append(f"Numbers are before the ceiling: the layer itself ends at {unit.layer.ceiling:g}.")
    return dataclasses.replace(found, says=tuple(says))


def _histogram(values: NDArray[np.float32]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-6 * max(abs(low), abs(high), 1e-30):
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(values, BINS, (low, high))
    return tuple(map(int, counts)), tuple(map(float, edges))


def _batches(model: Model, photos: Photos, rows: NDArray[np.int64]) -> Iterator[torch.Tensor]:
    read = photos.rows((model.contract,))[model.contract]
    for start in range(0, len(rows), BATCH):
        yield prepare(read(rows[start : start + BATCH]), model.contract)


def _noise(model: Model, seed: int) -> Iterator[torch.Tensor]:
    rng = np.random.default_rng(seed)
    for _ in range(4):
        yield prepare(rng.integers(0, 256, (BATCH, *model.contract.size, 3), dtype=np.uint8), model.contract)


def _even(pictures: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, pictures - 1, min(pictures, most)).round().astype(np.int64))


def _write(result: NeuronResult, model: Model, path: Path) -> None:
    from cutaway.draw.neuron import Tile, UnitSheet, neuron_page

    def tiles(patches: Sequence[Patch]) -> tuple[Tile, ...]:
        return tuple(Tile(p.photo, p.value, p.window, p.under, p.label) for p in patches)

    sheets = [
        UnitSheet(
            u.name, _kind(u), u.says, tiles(u.strongest), tiles(u.weakest), u.counts, u.edges,
            tuple((c.name, c.mean) for c in u.classes),
            _made(u), _caption(u),
        )
        for u in result.units
    ]  # fmt: skip
    network = title_of(result.model)
    one = result.units[0].name if len(result.units) == 1 else f"{len(result.units)} units"
    over = f" Photos: {result.pictures:,} of {data_title(result.data)}." if result.data else ""
    scene = neuron_page(
        sheets,
        title=f"What {one} of {network} look{'s' * (len(result.units) == 1)} for",
        subtitle=(f"{model.contract.describe()}.{over}",),
    )
    if path.suffix.lower() == ".svg":
        path.write_text(scene.svg(), encoding="utf-8")
    else:
        path.write_bytes(scene.png())


def _kind(unit: NeuronUnit) -> str:
    sees = "sees the whole picture" if unit.window is None else f"sees {unit.sees} px"
    what = "class" if unit.target else f"{unit.kind}, channel {unit.channel}"
    return f"{what}{'' if unit.cell is None else f', row {unit.cell[0]}, column {unit.cell[1]}'}; {sees}"


def _made(unit: NeuronUnit) -> NDArray[np.uint8] | None:
    """The optimised picture; for one cell only what it sees of it, as the rest was never changed."""
    if unit.picture is None or unit.seen is None:
        return None if unit.picture is None else unit.picture.picture
    top, left, bottom, right = unit.seen
    return np.ascontiguousarray(unit.picture.picture[top : bottom + 1, left : right + 1])


def _caption(unit: NeuronUnit) -> tuple[str, ...]:
    made = unit.picture
    if made is None:
        return ()
    times = f", {unit.times:.2g} × the best photo" if unit.times is not None else ""
    part = "" if unit.seen is None else "; shown: what the cell sees of it"
    return (f"made in {made.steps} steps: {made.value:.3g}{times}", f"plain grey: {made.grey:.3g}{part}")
