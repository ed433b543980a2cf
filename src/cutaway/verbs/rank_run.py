"""Model and photos -> RankResult, its table and chart; until it is done, what was counted lies beside the table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.pixels import PixelSet
from cutaway.draw.rank import Bar, Strip, bars_chart, strips_chart
from cutaway.draw.scale import percent
from cutaway.draw.scene import Scene
from cutaway.engine.threads import threads as using
from cutaway.errors import Stopped
from cutaway.events import Event, Note
from cutaway.graph.digest import digest
from cutaway.graph.shapes import shapes_of
from cutaway.model import Model
from cutaway.surgery.rank import Parts, Standing, parts_of, ranking
from cutaway.surgery.worth import worths
from cutaway.verbs.find import find_model
from cutaway.verbs.layer_choice import choose_layers
from cutaway.verbs.model_name import data_title, stem_of, title_of
from cutaway.verbs.photos import gathered, open_photos
from cutaway.verbs.rank import RankOptions, RankResult
from cutaway.verbs.rank_partial import Keeper, question_of, taken_up
from cutaway.verbs.table_file import must_end_well, partial_of, table_file, write_table


def rank_on(options: RankOptions) -> Generator[Event, None, RankResult]:
    """Options -> the RankResult. A stopped ranking of the same question goes on where it stood."""
    must_end_well(options.out)
    model = find_model(options.model)
    parts = parts_of(model, options.by, _layers(model, options))
    dataset, labelled, why = open_photos(options.data, model.classes)
    if options.own_answers:
        labelled, why = False, ""
    photos = yield from gathered((dataset, labelled, why), options.data, [model.contract], options.fold, options.most)
    if not labelled:
        yield Note("Judged by the model's own answers: accuracy is the share of pictures that keep theirs.")
    pixels, labels = photos.pixels[model.contract.pixel_key], photos.labels
    question = _question(options, model, parts, pixels, labels)
    stem = f"rank-{stem_of(options.model)}"
    path = table_file(options.out, stem, ".npz", lambda partial: question_of(partial) != question)
    partial = partial_of(path, ".npz")
    start = taken_up(partial, question)
    count = len(photos)
    if start is not None:
        yield Note(f"Going on from {partial}: {_told(start, parts, count)}.")
    keeper = Keeper(partial, question)
    with using(options.threads):
        standing = yield from ranking(model, parts, pixels.rows, labels, count, start, keeper)
    stopped = standing.done < count
    if stopped:
        keeper.save(standing)
        if not standing.done:
            raise Stopped(
                f"Stopped before the first pictures were through; what is counted lies in {partial}, and the same "
                "command goes on from there."
            )
    whole, rows = worths(parts, standing)
    result = RankResult(
        options.model, options.data, options.by, "labels" if labelled else "own answers", count, whole, rows,
        parts.refused, photos.unreadable, stopped,
        partial if stopped else path, None if stopped else path.with_suffix(".png"),
    )  # fmt: skip
    if not stopped:
        _write(result)
        partial.unlink(missing_ok=True)
    return result


def _told(start: Standing, parts: Parts, count: int) -> str:
    """Where a ranking stood, how far it came with the pictures that it had at hand, too -> words."""
    through = f"{start.done:,} of {count:,} pictures were through"
    if not start.ahead:
        return through
    stages, what = (len(parts.points), "layers") if parts.by == "channel" else (len(parts.ways), f"{parts.by}s")
    return f"{through}, and with the next ones {start.ahead:,} of {stages:,} {what}"


def _layers(model: Model, options: RankOptions) -> Sequence[str]:
    """What was typed for --layers -> names; a family's layers are all of it that have something to leave out."""
    if not options.layers:
        return ()
    words = [word.strip() for word in options.layers.split(",") if word.strip()]
    if options.by == "block":
        return words
    shapes = shapes_of(model.graph, (model.contract.in_channels, *model.contract.size))
    chosen = choose_layers(model.graph, shapes, options.layers)
    if options.by == "layer" or set(words) >= set(chosen):
        return chosen
    there = parts_of(model, "channel").points
    return [name for name in chosen if name in {p.layer for p in there} | {p.at for p in there}] or chosen


def _question(
    options: RankOptions, model: Model, parts: Parts, pixels: PixelSet, labels: NDArray[np.int64] | None
) -> str:
    """-> a hash of all that the counts depend on: network, contract, what is left out, pictures, labels."""
    sha = hashlib.sha256(digest(model.graph).encode())
    judged = None if labels is None else labels.tolist()
    asked = [options.by, [p.layer for p in parts.points], [w.name for w in parts.ways], judged]
    sha.update(json.dumps([asked, pixels.sha256s, model.contract.to_dict(), model.temperature]).encode())
    return sha.hexdigest()


def _write(result: RankResult) -> None:
    write_table(result.path, [row.to_dict() for row in result.ranked], result.to_dict())
    assert result.chart is not None
    result.chart.write_bytes(_chart(result).png())


def _chart(result: RankResult) -> Scene:
    whole, network = result.whole, title_of(result.model)
    own = result.judged == "own answers"
    judged = "its own answers" if own else f"accuracy {percent(whole.accuracy, 1)}, loss {whole.loss:.3f} nats"
    pictures = f"{whole.pictures:,} picture{'s' * (whole.pictures != 1)} of {data_title(result.data)}"
    words = [f"Measured on {pictures}; the whole network: {judged}."]
    if result.by == "channel":
        by_layer: dict[str, list[float]] = {}
        for row in result.rows:
            by_layer.setdefault(row.part.name, []).append(row.loss_cost)
        words.append("Each channel is silenced alone, after its layer's activation; layers in running order.")
        return strips_chart(
            [Strip(name, costs) for name, costs in by_layer.items()],
            title=f"What the channels of {network} are worth", words=words,
        )  # fmt: skip
    words.append(
        f"Each {result.by} is left out alone, its input handed on in its place; {result.by}s in running order."
    )
    if result.refused:
        words[-1] += f" {len(result.refused)} cannot be left out: shapes would change."
    bars = [Bar(row.name, row.accuracy_cost, row.loss_cost) for row in result.rows]
    return bars_chart(bars, title=f"What the {result.by}s of {network} are worth", words=words, unlabelled=own)
