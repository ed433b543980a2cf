"""Options of separability -> every layer's vectors, pooled while they stream, what they tell apart, and the curve."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cutaway.draw.curves import Line, line_chart
from cutaway.draw.scale import percent
from cutaway.draw.svg import standalone
from cutaway.engine.run import input_of
from cutaway.errors import BadInput
from cutaway.events import Event, Note, Progress
from cutaway.explanation.features import VectorFiles, answer_of
from cutaway.explanation.separability import FOLDS, K, folds_of, separation, spread
from cutaway.graph.names import names_of, step_named, steps_of
from cutaway.graph.shapes import shapes_of
from cutaway.model import Model
from cutaway.verbs.layer_choice import choose_layers, kind_at
from cutaway.verbs.layer_vectors import Opened, opened, streamed, taken
from cutaway.verbs.picture_file import picture_file
from cutaway.verbs.separability import SeparabilityOptions, SeparabilityResult, SeparableLayer

Shape = tuple[int, ...]


def separability_of(options: SeparabilityOptions) -> Generator[Event, None, SeparabilityResult]:
    """Options -> the SeparabilityResult; the curve is written at the end."""
    path = picture_file(options.out, "separability", options.model, (".svg",))
    source = yield from opened(options.model, options.data, options.fold, options.most)
    source, left_out = _judgeable(source, options.data)
    if left_out:
        names = ", ".join(left_out[:5]) + (" and more" if len(left_out) > 5 else "")
        yield Note(f"Classes with fewer than {FOLDS} different photos were left out: {names}.")
    model, graph = source.model, source.model.graph
    contract = model.contract
    shapes = shapes_of(graph, (contract.in_channels, *contract.size))
    layers, answer = _layers(model, shapes, options), answer_of(graph)
    folds = folds_of(source.labels, [s or i for i, s in enumerate(source.sha256s)], options.seed)
    depth = {name: i / max(1, len(names_of(graph)) - 1) for i, name in enumerate(names_of(graph))}
    rows = []
    with tempfile.TemporaryDirectory() as folder, VectorFiles(graph, layers, Path(folder)) as files:
        yield from streamed(source, layers, files, options.threads, "look at the layers")
        right = None
        for number, name in enumerate(layers):
            vectors = files.vectors(name)
            node = step_named(graph, name)
            kind = "the picture" if node.op == "placeholder" else kind_at(graph, node)
            shape = tuple(shapes.get(node.name, (1, contract.in_channels, *contract.size))[1:])
            found = separation(vectors, source.labels, folds, options.seed)
            rows.append(SeparableLayer(name, kind, shape, depth[name], found))
            if name == answer and source.judged:
                right = int((vectors.argmax(1) == source.labels).sum())
            yield Progress("measure", number + 1, len(layers), "layers")
    there = np.unique(source.labels)
    result = SeparabilityResult(
        options.model, options.data, source.fold, len(source.photos), tuple(sorted(source.photos.unreadable)),
        tuple(source.classes[i] for i in there), left_out, float(np.bincount(source.labels).max() / len(source.labels)),
        right, FOLDS, K, tuple(rows), path,
    )  # fmt: skip
    path.write_text(standalone(curve(result)), encoding="utf-8")
    return result


def curve(result: SeparabilityResult) -> str:
    """Result -> the chart: accuracy of both ways from the picture to the answer, intervals as whiskers."""
    xs = [float(i) for i in range(len(result.layers))]
    lines = []
    for name, colour, dashed in (("linear probe", 1, False), (f"{result.k} nearest", 2, True)):
        counts = [row.found.probe if colour == 1 else row.found.knn for row in result.layers]
        ranges = [row.found.interval(count) for row, count in zip(result.layers, counts, strict=True)]
        lines.append(Line(
            name, xs, [count / result.pictures for count in counts], colour, dashed,
            [low for low, _ in ranges], [high for _, high in ranges], [row.name for row in result.layers],
        ))  # fmt: skip
    lines.append(Line("largest class", [xs[0], xs[-1]], [result.majority] * 2, 3, True))
    best = max(result.layers, key=lambda row: row.found.probe)
    return line_chart(
        lines, title="How well the classes lie apart, layer by layer", x_label="layer, as numbered in the table",
        y_label=f"right of {result.pictures:,} held-out photos", write=percent, ceiling=1.0, floor=0.0,
        best=(xs[result.layers.index(best)], best.name),
    )  # fmt: skip


def _judgeable(source: Opened, typed: str) -> tuple[Opened, tuple[str, ...]]:
    """Photos -> those of classes with enough of them. Raises BadInput where fewer than two classes remain."""
    known = source.labels >= 0
    if not known.any():
        raise BadInput(
            f"The photos of {typed} have no labels; give a folder with one folder per class, or a table with labels."
        )
    shas = np.array([s or str(i) for i, s in enumerate(source.sha256s)])
    enough = [i for i in np.unique(source.labels[known]) if len(np.unique(shas[source.labels == i])) >= FOLDS]
    left_out = tuple(source.classes[i] for i in np.unique(source.labels[known]) if i not in enough)
    if len(enough) < 2:
        raise BadInput(
            f"Layers can be compared where two classes or more have at least {FOLDS} different photos each; the "
            f"{len(source.photos):,} photos of {typed} that were taken have {len(enough)} such "
            f"class{'es' * (len(enough) != 1)}: add photos, or use --fold all."
        )
    keep = np.flatnonzero(np.isin(source.labels, enough))
    if len(keep) == len(source.photos):
        return source, left_out
    return replace(source, photos=taken(source.photos, keep), labels=source.labels[keep]), left_out


def _layers(model: Model, shapes: dict[str, Shape], options: SeparabilityOptions) -> tuple[str, ...]:
    """-> the picture, the layers asked for (every activation) spread over the depth, the answer; in running order."""
    graph = model.graph
    try:
        names: Sequence[str] = choose_layers(graph, shapes, options.layer or "activation")
    except BadInput:
        if options.layer:
            raise
        names = choose_layers(graph, shapes, "all")  # a network without an activation
    names = [n for n in names if len(shapes[step_named(graph, n).name]) > 1]
    known = {node: name for name, node in names_of(graph).items()}
    ends = (known[input_of(graph)], answer_of(graph))
    order = {name: i for i, name in enumerate((ends[0], *steps_of(graph)))}
    return tuple(sorted({*spread(names, options.most_layers), *ends}, key=order.__getitem__))
