"""open: what a model file is, its layers with shapes, parameters, work and receptive fields; one layer in full."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.formats.parts import FileView, ViewRow
    from cutaway.graph.blocks import Block
    from cutaway.graph.describe import LayerDetails
    from cutaway.graph.shapes import LayerRow
    from cutaway.model import Model

ALL = "all"


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """Open any model file: what it is, its layers, shapes, parameters, multiply-adds and receptive fields."""

    model: str
    """Model file, run, its name under runs/, last; zoo:NAME is a network of `cutaway networks`, as:NAME:FILE a file of
    weights opened as that one."""
    layer: str = ""
    """One layer in full: settings, shapes, neighbours, statistics and histogram of its weights."""
    layers: str = ""
    """all, or the name of a block to see inside it; without, large networks are shown block by block."""
    search: str = ""
    """Only layers whose name or kind holds this."""
    out: str = ""
    """An .svg file to draw the network in as a diagram, block by block; --layers opens all blocks, or one."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What was found. `answer`: "full", "view-only" or "weights" (see formats.parts.FileView), with `reason`.

    `rows` is the whole layer table, `shown` what a person sees first of it: single layers and collapsed blocks.
    `parameters` counts what training changes, `statistics` the running means and variances beside them.
    """

    name: str
    answer: str
    format: str
    producer: str
    rows: tuple[LayerRow | ViewRow, ...]
    shown: tuple[LayerRow | ViewRow | Block, ...]
    parameters: int
    statistics: int = 0
    multiply_adds: int = 0
    bytes: int = 0
    sha256: str = ""
    classes: tuple[str, ...] = ()
    probabilities: bool = False
    contract: dict[str, Any] | None = None
    input: str = ""
    notes: str = ""
    card: dict[str, str] | None = None
    reason: str = ""
    nearest: tuple[str, ...] = ()
    layer: LayerDetails | None = None
    out: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "answer": self.answer,
            "format": self.format,
            "producer": self.producer,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "classes": list(self.classes),
            "probabilities": self.probabilities,
            "contract": self.contract,
            "input": self.input,
            "parameters": self.parameters,
            "statistics": self.statistics,
            "multiply_adds": self.multiply_adds,
            "notes": self.notes,
            "card": self.card,
            "reason": self.reason,
            "nearest": list(self.nearest),
            "layers": [_row(row) for row in self.rows],
            "shown": [_row(row) for row in self.shown],
            "layer": self.layer.to_dict() if self.layer else None,
            "out": str(self.out) if self.out else None,
        }


def _row(row: Any) -> dict[str, Any]:
    if hasattr(row, "to_dict"):
        return row.to_dict()  # type: ignore[no-any-return]
    shape = list(row.shape) if row.shape is not None else None
    return {"name": row.name, "kind": row.kind, "shape": shape, "parameters": row.parameters, "note": row.note}


def _run(options: OpenOptions) -> Generator[Event, None, Opened]:
    from cutaway.errors import BadModel
    from cutaway.formats.parts import OnlyView
    from cutaway.verbs.find import file_of, find_model, made_now
    from cutaway.verbs.model_name import ZOO
    from cutaway.verbs.picture_file import picture_file

    drawing = picture_file(options.out, "open", options.model, (".svg",)) if options.out else None
    path = None if options.model.startswith(ZOO) else file_of(options.model)
    try:
        model = find_model(options.model)
    except OnlyView as only:
        if drawing is not None:
            raise BadModel(f"{only.view.reason} Only a network that runs can be drawn; leave --out away.") from None
        return _viewed(options, path, only.view)
    yield from made_now(options.model, model)
    found = _described(options, path, model)
    if drawing is None:
        return found
    drawing.write_text(_diagram(options, model), encoding="utf-8")
    return dataclasses.replace(found, out=drawing)


def _diagram(options: OpenOptions, model: Model) -> str:
    """-> the network as an SVG file's text: blocks closed where they are many, those open that --layers asks for."""
    from cutaway.draw.diagram import diagram
    from cutaway.draw.svg import standalone
    from cutaway.graph.shapes import shapes_of
    from cutaway.verbs.diagram_rows import diagram_rows
    from cutaway.verbs.model_name import title_of

    rows = diagram_rows(model.graph, shapes_of(model.graph, (model.contract.in_channels, *model.contract.size)))
    if options.layers == ALL:
        return standalone(diagram(rows, title_of(options.model), most=len(rows)))
    parts = options.layers.split(".")
    opened = {".".join(parts[: n + 1]) for n in range(len(parts))}
    return standalone(diagram(rows, title_of(options.model), expanded=opened))


def _described(options: OpenOptions, path: Path | None, model: Model) -> Opened:
    from cutaway.graph.describe import layer_details
    from cutaway.graph.names import step_named
    from cutaway.graph.shapes import layer_table

    if options.layer:
        step_named(model.graph, options.layer)  # a name that is not there is told before the work
    rows = layer_table(model.graph, (model.contract.in_channels, *model.contract.size))
    size, sha256 = _weighed(path)
    floats = [b for b in model.graph.buffers() if b.is_floating_point() and b.ndim]
    return Opened(
        options.model,
        "full",
        _format(path, model),
        model.card.get("producer") or model.card.get("source", ""),
        rows,
        _shown(rows, options),
        parameters=sum(p.numel() for p in model.graph.parameters()),
        statistics=sum(b.numel() for b in floats),
        multiply_adds=sum(row.multiply_adds for row in rows),
        bytes=size,
        sha256=sha256,
        classes=model.classes,
        probabilities=model.probabilities,
        contract=model.contract.to_dict(),
        input=model.contract.describe(),
        notes=model.card.get("notes", ""),
        card=dict(model.card),
        layer=layer_details(model.graph, rows, options.layer) if options.layer else None,
    )


def _format(path: Path | None, model: Model) -> str:
    """What the file is; of one that Cutaway wrote also what it was made from."""
    from cutaway.model.file import is_ours

    if path is None:
        return "made from its name"
    file = path / "model.safetensors" if path.is_dir() else path
    made_from = model.card.get("format", "")
    if file.is_file() and is_ours(file):
        return f"Cutaway file made from {made_from}" if made_from else "Cutaway file"
    return made_from or "Cutaway file"


def _shown(rows: tuple[LayerRow, ...], options: OpenOptions) -> tuple[LayerRow | Block, ...]:
    from cutaway.graph.blocks import collapsed, rows_in, tree

    found: tuple[LayerRow, ...] = rows
    if options.layers not in ("", ALL):
        found = rows_in(rows, options.layers)
        if not found:
            raise _no_block(rows, options.layers)
    if options.search:
        return tuple(row for row in found if _holds(row, options.search))
    return found if options.layers else collapsed(tree(rows))


def _holds(row: LayerRow | ViewRow, text: str) -> bool:
    return text.lower() in f"{row.name} {row.kind}".lower()


def _no_block(rows: tuple[LayerRow, ...], name: str) -> Exception:
    import difflib

    from cutaway.errors import BadInput

    blocks = list(dict.fromkeys(block for row in rows for block in row.blocks))
    if not blocks:
        return BadInput(f"--layers takes all here: the network has no blocks, so none called {name!r}.")
    near = difflib.get_close_matches(name, blocks, 3, 0.4) or blocks[:3]
    return BadInput(f"The network has no block {name!r}. Nearest: {', '.join(near)}; or say --layers all.")


def _viewed(options: OpenOptions, path: Path | None, view: FileView) -> Opened:
    rows = tuple(row for row in view.rows if _holds(row, options.search) and options.layer in ("", row.name))
    size, sha256 = _weighed(path)
    return Opened(
        options.model,
        view.answer,
        view.format,
        "",
        view.rows,
        rows,
        parameters=sum(row.parameters for row in view.rows),
        bytes=size,
        sha256=sha256,
        reason=view.reason,
        nearest=view.nearest,
    )


def _weighed(path: Path | None) -> tuple[int, str]:
    """File, or a run's folder -> bytes and sha256 of the model file; 0 and "" for several files and for none."""
    import hashlib

    if path is not None and path.is_dir():
        path /= "model.safetensors"
    if path is None or not path.is_file():
        return 0, ""
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


open = Verb("open", OpenOptions, _run)
