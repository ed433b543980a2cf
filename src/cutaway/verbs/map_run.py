"""Options of map -> the layer's vectors, their places, what the places are worth, and the three files."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.folder import FolderStore
from cutaway.draw.atlas import atlas, tile_side
from cutaway.draw.map_page import map_page
from cutaway.draw.map_picture import map_picture
from cutaway.draw.points import Points
from cutaway.draw.scale import percent
from cutaway.engine.shrink import shrink
from cutaway.errors import BadInput
from cutaway.events import Event, Note, Progress
from cutaway.explanation.features import VectorFiles, answer_of, last_hidden
from cutaway.explanation.map_quality import MapQuality, map_quality
from cutaway.explanation.projection import LEAST, Projection, project
from cutaway.graph.names import step_named
from cutaway.graph.shapes import shapes_of
from cutaway.reports.metrics import softmax, wilson
from cutaway.verbs.layer_vectors import Opened, class_names, free_stem, opened, streamed
from cutaway.verbs.map import MapOptions, MapResult, Stranger
from cutaway.verbs.model_name import title_of as model_title
from cutaway.verbs.out import must_be_page, must_be_writable

METHOD_WORDS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}
_EPSILON = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """A map before anything is written: what was opened, the layer and the shape of its value, the length of its
    vector, the places and what they are worth, a mark for each photo."""

    source: Opened
    layer: str
    shape: tuple[int, ...]
    numbers: int
    made: Projection
    quality: MapQuality
    points: Points


def map_of(options: MapOptions) -> Generator[Event, None, MapResult]:
    """Options -> the MapResult; three files are written at the end."""
    page = _page_path(options)
    laid = yield from laid_out(options)
    result = result_of(options, laid, page)
    size = yield from _write(result, laid)
    return dataclasses.replace(result, page_bytes=size)


def laid_out(options: MapOptions) -> Generator[Event, None, Laid]:
    """Options -> the photos in their places; nothing is written, `out` is not looked at."""
    source = yield from opened(options.model, options.data, options.fold, options.most)
    if len(source.photos) < LEAST and source.fold != "all":
        raise BadInput(
            f"The {source.fold} fold of {options.data} has {len(source.photos)} pictures that can be read, and a map "
            f"needs at least {LEAST}; use --fold all."
        )
    if source.unlike:
        yield Note(f"{source.unlike} Until then the map cannot tell right answers from wrong ones.")
    graph, contract = source.model.graph, source.model.contract
    answer = answer_of(graph)
    layer = last_hidden(graph) if options.layer == "auto" else options.layer
    shape = shapes_of(graph, (contract.in_channels, *contract.size)).get(step_named(graph, layer).name, ())[1:]
    if not shape:
        raise BadInput(f"The layer {layer!r} does not depend on the picture; name one that does.")
    with tempfile.TemporaryDirectory() as folder, VectorFiles(graph, (layer, answer), Path(folder)) as files:
        yield from streamed(source, tuple(dict.fromkeys((layer, answer))), files, options.threads, "map")
        vectors, outputs = files.vectors(layer), files.vectors(answer)
    made = yield from project(
        vectors, options.method, seed=options.seed, perplexity=options.perplexity, neighbours=options.neighbours,
        min_dist=options.min_dist,
    )  # fmt: skip
    quality = yield from map_quality(vectors, made.xy, source.labels)
    points = _points(source, made, quality, outputs)
    return Laid(source, layer, tuple(shape), vectors.shape[1], made, quality, points)


def _page_path(options: MapOptions) -> Path:
    if options.out:
        path = Path(options.out)
        if path.suffix.lower() not in (".html", ".htm"):
            raise BadInput(f"out must be a file that ends in .html. Got {options.out!r}.")
        must_be_page(path)
        return path
    must_be_writable(Path())
    return Path(free_stem("map", options.model, (".html", ".png", ".parquet")) + ".html")


def _points(source: Opened, made: Projection, quality: MapQuality, outputs: NDArray[np.float32]) -> Points:
    model = source.model
    logits = np.log(np.maximum(outputs, _EPSILON)) if model.probabilities else outputs
    probabilities = softmax(logits / model.temperature)  # (N, K)
    predicted = probabilities.argmax(1)
    known = source.labels >= 0
    wrong = known & (predicted != source.labels) if source.judged and known.any() else None
    return Points(
        source.photos.names, made.xy, source.classes, source.labels, class_names(model, outputs.shape[1]),
        predicted.astype(np.int64), probabilities.max(1).astype(np.float64), wrong, quality.agree, quality.among,
    )  # fmt: skip


def result_of(options: MapOptions, laid: Laid, page: Path) -> MapResult:
    """Options, the map, where its page goes -> the MapResult."""
    points, made, source = laid.points, laid.made, laid.source
    return MapResult(
        options.model, options.data, source.fold, laid.layer, laid.shape, laid.numbers, made.method,
        dict(made.settings), made.meaning, len(points.names), tuple(sorted(source.photos.unreadable)), laid.quality,
        int((points.label >= 0).sum()), None if points.wrong is None else int(points.wrong.sum()),
        _strangers(points), page, page.with_suffix(".png"), page.with_suffix(".parquet"), 0,
    )  # fmt: skip


def _strangers(points: Points) -> tuple[Stranger, ...]:
    """Photos most of whose neighbours carry one other label, the least at home first."""
    at = np.flatnonzero((points.label >= 0) & (points.among >= 0) & (points.among != points.label))
    order = sorted(at.tolist(), key=lambda i: (points.agree[i], points.names[i]))
    return tuple(
        Stranger(
            points.names[i], points.classes[points.label[i]], points.classes[points.among[i]], float(points.agree[i]),
            points.answers[points.predicted[i]], float(points.probability[i]),
        )
        for i in order
    )  # fmt: skip


def _write(result: MapResult, laid: Laid) -> Generator[Event, None, int]:
    """-> bytes of the page."""
    source, points, made = laid.source, laid.points, laid.made
    result.page.parent.mkdir(parents=True, exist_ok=True)
    title, lead = title_of(result), lead_of(result)
    figures = figures_of(result)
    write_table(result.table, points, source.sha256s)
    yield Progress("write", 1, 3, "files")
    scene = map_picture(points, title=title, lines=(lead, made.meaning), figures=figures)
    result.picture.write_bytes(scene.png())
    yield Progress("write", 2, 3, "files")
    text = map_page(
        points, atlas(tiles_of(source)), title=title, kicker="Cutaway map", lead=lead, meaning=made.meaning,
        figures=figures, folder=_folder(source, result.page),
    )  # fmt: skip
    encoded = text.encode()
    result.page.write_bytes(encoded)
    yield Progress("write", 3, 3, "files")
    return len(encoded)


def title_of(result: MapResult) -> str:
    """Result -> what the map is called."""
    data = Path(result.data).name or result.data  # the way there is nobody's business on a page that is passed on
    return f"{METHOD_WORDS[result.method]} map of {data} by {model_title(result.model)}"


def lead_of(result: MapResult) -> str:
    """Result -> what each mark is, in a sentence."""
    pooled = ", each channel averaged over its places" if len(result.shape) > 1 else ""
    fold = "" if result.fold == "all" else f" of the {result.fold} fold"
    return (
        f"{result.pictures:,} photos{fold}, laid out by the {result.numbers:,} numbers that {result.layer} gives for "
        f"each{pooled}."
    )


def figures_of(result: MapResult) -> tuple[tuple[str, str, str], ...]:
    """Result -> (name, value, small print) of what was measured, as page, picture and terminal show it."""
    q = result.quality
    rows = [
        ("trustworthiness", f"{q.trustworthiness:.3f}", "of 1 at best"),
        ("neighbours kept", percent(q.kept, 1), f"of {q.k}; by chance {percent(q.kept_by_chance, 1)}"),
    ]
    for what, right in (("k-NN in the layer", q.knn_layer), ("k-NN on the map", q.knn_map)):
        if right is not None:
            low, high = wilson(right, q.judged)
            rows.append((what, percent(right / q.judged, 1), f"right (95 %: {100 * low:.1f}–{100 * high:.1f})"))
    if result.wrong is not None:
        right, of = result.labelled - result.wrong, result.labelled
        low, high = wilson(right, of)
        rows.append(("the model", percent(right / of, 1), f"right (95 %: {100 * low:.1f}–{100 * high:.1f})"))
    return tuple(rows)


def tiles_of(source: Opened) -> NDArray[np.uint8]:
    """-> each photo as the network gets it, small."""
    contract, count = source.model.contract, len(source.photos)
    rows, side = source.photos.rows([contract])[contract], tile_side(count)
    parts = [shrink(rows(np.arange(at, min(at + 256, count))), side) for at in range(0, count, 256)]
    return np.concatenate(parts)


def _folder(source: Opened, page: Path) -> str:
    """Where the photos' names begin, seen from the page; "" where they are not files of their own in one folder."""
    store = source.photos.dataset.store
    if not isinstance(store, FolderStore) or any(s.name != s.at for s in source.photos.dataset.samples):
        return ""
    try:
        way = os.path.relpath(store.root, page.parent.resolve())
    except ValueError:  # another drive
        return ""
    return quote(Path(way).as_posix())


def write_table(path: Path, points: Points, sha256s: Sequence[str | None]) -> None:
    """name, sha256, label, predicted, probability, error, agree, x, y: a row for each photo; null: nobody knows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def words(names: Sequence[str], at: NDArray[np.int64]) -> list[str | None]:
        return [names[i] if i >= 0 else None for i in at.tolist()]

    known = points.label >= 0
    wrong = points.wrong
    error: list[Any] = [None] * len(known) if wrong is None else [bool(w) if k else None for w, k in zip(wrong, known)]
    columns = {
        "name": pa.array([_readable(name) for name in points.names], pa.string()),
        "sha256": pa.array(sha256s, pa.string()),
        "label": pa.array(words(points.classes, points.label), pa.string()),
        "predicted": pa.array(words(points.answers, points.predicted), pa.string()),
        "probability": pa.array(points.probability, pa.float32()),
        "error": pa.array(error, pa.bool_()),
        "agree": pa.array([None if np.isnan(a) else float(a) for a in points.agree], pa.float32()),
        "x": pa.array(points.xy[:, 0], pa.float64()),
        "y": pa.array(points.xy[:, 1], pa.float64()),
    }
    pq.write_table(pa.table(columns), path)


def _readable(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")
