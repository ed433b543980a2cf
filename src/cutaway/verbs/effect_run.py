"""Two models, photos and data sets -> EffectResult and its page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset import Dataset
from cutaway.draw.effect import (
    FlipTile,
    LayerPair,
    SharePair,
    flips_block,
    layers_blocks,
    picture_block,
    shares_block,
    words_block,
)
from cutaway.draw.scene import Block, page
from cutaway.engine.node_cache import NodeCache
from cutaway.errors import BadInput
from cutaway.events import Event, Note
from cutaway.graph.names import names_of
from cutaway.graph.shapes import shapes_of
from cutaway.image import Image
from cutaway.image.fit import fit_picture, target_px
from cutaway.model import Model
from cutaway.surgery.edit import edit_of
from cutaway.surgery.effect import Effect, effect, sharing
from cutaway.surgery.effect_data import DataEffect, all_answers, data_effect, must_be_finite
from cutaway.verbs.effect import EffectOptions, EffectResult
from cutaway.verbs.layer_choice import choose_layers, kind_at, telling_layers
from cutaway.verbs.model_name import data_title, title_of
from cutaway.verbs.photos import Photos, gathered, open_photos

MOST_LAYERS = 5
"""Layers drawn without being asked for."""
MOST_CLASSES = 6
MOST_FLIPS = 22
_DRAWN_PICTURES = 3


def effect_of(
    options: EffectOptions, before: Model, after: Model, asked: Sequence[Image | str], path: Path | None
) -> Generator[Event, None, EffectResult]:
    """Options, both models, what was named or given, the page to write (None: none) -> EffectResult."""
    after = sharing(before, after)
    if options.layers:
        _asked_layers(before, after, options.layers)  # a name that is not there is told before the work
    pictures: list[Effect] = []
    fitted: list[NDArray[np.uint8]] = []
    data: list[tuple[DataEffect, Photos]] = []
    unreadable: list[tuple[str, str]] = []
    cache: NodeCache | None = None
    for one in asked:
        found, named = (None, before) if isinstance(one, Image) else photos_for(one, before, after)
        if found is not None and (len(found[0]) > 1 or found[1]):
            told, photos = yield from on_data(str(one), found, options.fold, named, after)
            data.append((told, photos))
            unreadable += photos.unreadable
            continue
        picture = one if isinstance(one, Image) else found[0].read(0, _px(before, after))  # type: ignore[index]
        pictures.append(effect(before, after, picture, cache=cache))
        fitted.append(fit_picture(picture, before.contract))
        if pictures[-1].non_finite:
            yield Note(f"{pictures[-1].non_finite} now gives values that are not finite.")
    edits = edits_between(before, after)
    if path is not None:
        blocks = [
            block for e, pixels in list(zip(pictures, fitted, strict=True))[:_DRAWN_PICTURES]
            for block in _picture_blocks(e, pixels, before, after, options.layers, edits)
        ]  # fmt: skip
        for told, photos in data:
            blocks += _data_blocks(told, photos, before, edits if not pictures else ())
        _write(path, _titles(options, before, after, pictures, [d for d, _ in data]), blocks)
    return EffectResult(
        options.model, options.edited, edits, tuple(pictures), tuple(d for d, _ in data), path, tuple(unreadable)
    )


def edits_between(before: Model, after: Model) -> tuple[str, ...]:
    """Two models -> in words the edits that the second's card holds beyond the first's."""
    try:
        lists = [json.loads(m.card.get("edits", "[]")) for m in (before, after)]
        known = len(lists[0]) if lists[1][: len(lists[0])] == lists[0] else 0
        return tuple(edit_of(document).sentence for document in lists[1][known:])
    except (ValueError, TypeError, BadInput):  # a card is only text: one that says nothing is no reason to stop
        return ()


def _px(before: Model, after: Model) -> int:
    return max(target_px(before.contract), target_px(after.contract))


def photos_for(typed: str, before: Model, after: Model) -> tuple[tuple[Dataset, bool, str], Model]:
    """What was typed, both models -> what `open_photos` gives, and the model before the edits: where the photos' labels
    are the names that an edit gave the classes, it calls them so too, and accuracy can be told."""
    found = open_photos(typed, before.classes)
    if not found[1] and len(before.classes) == len(after.classes) and before.classes != after.classes:
        renamed = open_photos(typed, after.classes)
        if renamed[1]:
            return renamed, dataclasses.replace(before, classes=after.classes)
    return found, before


def on_data(
    typed: str, found: Any, fold: str, before: Model, after: Model
) -> Generator[Event, None, tuple[DataEffect, Photos]]:
    """Data set's name, what `open_photos` gave, fold, both models -> DataEffect and its photos."""
    contracts = (before.contract, after.contract)
    photos = yield from gathered(found, typed, contracts, fold)
    rows = photos.rows(contracts)
    logits = yield from all_answers([before, after], rows, len(photos), "effect")
    for model, z, what in ((before, logits[0], "The model"), (after, logits[1], "The edited model")):
        must_be_finite(model, z, rows[model.contract], photos.names, what)
    return data_effect(typed, (before, after), (logits[0], logits[1]), photos.names, photos.labels), photos


# -- the page


def _titles(
    options: EffectOptions, before: Model, after: Model, pictures: Sequence[Effect], data: Sequence[DataEffect]
) -> tuple[str, ...]:
    """-> title and the lines below it."""
    network = title_of(options.model) if options.model != "model" else before.card.get("network", "the network")
    input_ = before.contract.describe()
    if after.contract != before.contract:
        input_ = f"{input_}; edited: {after.contract.describe()}"
    lines = [
        f"{network}: {input_}.",
        "Zero is white, above zero orange to brown, below zero blue. Before and after share one scale.",
    ]
    if pictures:
        first, then = pictures[0].answers
        share = f"{_percent(first.before)} → {_percent(first.after)}"
        answer = f"{first.name}: {share}" if first.name == then.name else (
            f"{first.name} {_percent(first.before)} → {then.name} {_percent(then.after)}"
        )  # fmt: skip
        there, ran = set(pictures[0].after.trace), set(pictures[0].ran)
        lines[0] = f"{lines[0][:-1]}. {len(ran & there)} of {len(there)} steps were run again."
        return f"{_short(pictures[0].picture)}   {answer}", *lines
    return _headline(data[0]), lines[0]


def _short(name: str) -> str:
    return Path(name).name.removeprefix("sample:")


def _percent(share: float | None) -> str:
    return "–" if share is None or share != share else f"{100 * share:.1f} %"


def _picture_blocks(
    found: Effect, pixels: NDArray[np.uint8], before: Model, after: Model, layers: str, edits: Sequence[str]
) -> list[Block]:
    names = _asked_layers(before, after, layers) if layers else _telling(found, before, after)
    kinds = [{name: kind_at(m.graph, node) for name, node in names_of(m.graph).items()} for m in (before, after)]
    pairs = []
    for name in names:
        one, two, _ = found.maps(name)
        kind = " → ".join(dict.fromkeys(known[name] for known in kinds if name in known))
        pairs.append(LayerPair(name, kind, _drawable(one), _drawable(two)))
    ranked = sorted(found.classes, key=lambda c: -max(_share(c.before), _share(c.after)))[:MOST_CLASSES]
    rows = [SharePair(c.name, c.before, c.after) for c in ranked]
    nothing = [] if found.changed else [words_block("No layer gives other values on this picture.")]
    return [
        picture_block(pixels, _short(found.picture), edits),
        *nothing,
        *(layers_blocks(pairs) if pairs else ()),
        shares_block("answer", f"probabilities of {len(found.classes)} classes", rows),
    ]


def _share(value: float | None) -> float:
    return -1.0 if value is None or value != value else value


def _asked_layers(before: Model, after: Model, asked: str) -> tuple[str, ...]:
    """Names typed -> steps, looked for in the edited network and in the first; in the order of the edited one."""
    try:
        return choose_layers(after.graph, _shapes(after), asked)
    except BadInput:
        return choose_layers(before.graph, _shapes(before), asked)


def _shapes(model: Model) -> Mapping[str, tuple[int, ...]]:
    return shapes_of(model.graph, (model.contract.in_channels, *model.contract.size))


def _telling(found: Effect, before: Model, after: Model) -> list[str]:
    """The first layer that changed, then a telling few spread over what follows, rows of numbers last."""
    changed = [c.name for c in found.changed if c.status != "only before"]
    telling = {*telling_layers(after.graph, _shapes(after)), *telling_layers(before.graph, _shapes(before))}
    gone = [c.name for c in found.changed if c.status == "only before"][:1]
    seen = [c.name for c in found.changed if c.status != "only before" and (c.relative is None or c.relative > 1e-6)]
    changed = seen or changed
    rest = [name for name in changed[1:] if name in telling]
    most = MOST_LAYERS - 1
    if len(rest) > most:
        rest = [rest[round(i * (len(rest) - 1) / (most - 1))] for i in range(most)]
    order = {layer.name: i for i, layer in enumerate(found.layers)}
    return sorted({*gone, *changed[:1], *rest}, key=order.__getitem__)


def _drawable(values: NDArray[Any] | None) -> NDArray[Any] | None:
    """Maps of one place and values of other ranks become a row of numbers."""
    if values is None:
        return None
    if values.ndim not in (1, 2, 3) or (values.ndim == 3 and values.shape[1:] == (1, 1)):
        return values.reshape(-1)
    return values


def _headline(found: DataEffect) -> str:
    name = data_title(found.data)
    if found.before is None or found.after is None:
        return f"{name}: {len(found.flips):,} of {found.n:,} photos get another answer"
    return f"{name}: {_percent(found.before.accuracy)} → {_percent(found.after.accuracy)} of {found.n:,} photos right"


def _data_blocks(found: DataEffect, photos: Photos, before: Model, edits: Sequence[str]) -> list[Block]:
    blocks = [words_block(*(f"{i + 1}.  {sentence}" for i, sentence in enumerate(edits[:6])))] if edits else []
    if found.before is not None and found.after is not None:
        two = (found.before, found.after)
        interval = [f"{100 * m.low:.1f} to {100 * m.high:.1f} %" for m in two]
        rows = [SharePair("accuracy", two[0].accuracy, two[1].accuracy, f"of {found.n:,}")]
        scores = zip(two[0].classes, two[1].classes, strict=True)
        rows += [SharePair(b.name, b.recall, a.recall, f"of {b.support:,}") for b, a in scores if b.support][:12]
        told = f"95 %: {interval[0]}, then {interval[1]}"
        blocks.append(shares_block("photos right", told, rows, first=True))
        loss = (
            f"Loss {two[0].loss:.3f} → {two[1].loss:.3f} nats; {found.won:,} photos became right, {found.lost:,} wrong."
        )
        blocks.append(words_block(loss))
    if found.flips:
        blocks.append(_flips(found, photos, before))
    else:
        blocks.append(words_block(f"All {found.n:,} photos of {found.data} get the same answer as before."))
    return blocks


def _flips(found: DataEffect, photos: Photos, before: Model) -> Block:
    place = {name: i for i, name in enumerate(photos.names)}
    shown = found.flips[:MOST_FLIPS]
    at = np.array([place[f.name] for f in shown], np.int64)
    pixels = photos.rows([before.contract])[before.contract](at)
    tiles = [
        FlipTile(p, f"{f.before[0]} {_percent(f.before[1])}", f"{f.after[0]} {_percent(f.after[1])}",
                 None if f.true is None else f.after[0] == f.true, f.name)
        for p, f in zip(pixels, shown, strict=True)
    ]  # fmt: skip
    title = "The surest changes first"
    if found.before is not None:
        title = f"{len(found.flips):,} photos get another answer; green: right now, orange: wrong now"
    return flips_block(title, tiles, len(found.flips) - len(shown))


def _write(path: Path, titles: tuple[str, ...], blocks: Sequence[Block]) -> None:
    scene = page(titles[0], titles[1:], blocks)
    if path.suffix.lower() == ".svg":
        path.write_text(scene.svg(), encoding="utf-8")
    else:
        path.write_bytes(scene.png())
