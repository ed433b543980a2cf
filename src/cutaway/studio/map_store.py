"""Maps that were made: kept in the cache under a digest of what was asked and of the files it was asked about.

An address brings its map back at once, after a restart too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.places import build_once, cache_folder
from cutaway.errors import BadInput
from cutaway.events import Event, Note, Progress
from cutaway.studio.desk import model_stamp
from cutaway.studio.schemas.map import DataMap, Figure, MapColumn, MapRequest, MapSheets
from cutaway.studio.uploads import path_of

if TYPE_CHECKING:
    from cutaway.draw.points import Points
    from cutaway.studio.desk import Desk
    from cutaway.verbs.map import MapOptions
    from cutaway.verbs.map_run import Laid

POINTS, SHEET = "points.bin", "sheet-{}.jpg"
NEAR = 8  # neighbours that are kept for each photo: a row of thumbnails
_ID = re.compile(r"[0-9a-f]{32}")
_TYPES: dict[str, np.dtype[Any]] = {"f4": np.dtype("<f4"), "i4": np.dtype("<i4"), "u1": np.dtype("u1")}
_FORM = 2  # of the files here: one more when they change


def id_of(desk: Desk, asked: MapRequest) -> str:
    """What is asked for -> a text that is the same for the same model, photos and settings. Raises BadInput."""
    from cutaway.studio.album import album_of

    dataset = album_of(desk, asked.data).dataset
    photos = hashlib.sha256()
    for sample in dataset.samples:
        photos.update(
            f"{sample.name}\0{sample.label}\0{sample.fold}\0{dataset.store.stamp(sample)}\n".encode("utf-8", "replace")
        )
    rest = asked.model_dump(exclude={"model", "data"})
    known = [_FORM, model_stamp(path_of(asked.model)), photos.hexdigest(), list(dataset.classes), rest]
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()[:32]


def folder_of(id_: str) -> Path:
    """A map's id -> its folder, there or not. Raises BadInput for what is no id."""
    if not _ID.fullmatch(id_):
        raise BadInput("There is no such map; make it again.")
    return cache_folder() / "studio" / "maps" / id_


def is_made(id_: str) -> bool:
    return (folder_of(id_) / POINTS).is_file()


def read(id_: str, name: str) -> bytes:
    """A map's id, one of its files -> its bytes. Raises BadInput where the cache was emptied since."""
    try:
        return (folder_of(id_) / name).read_bytes()
    except OSError:
        raise BadInput("This map is not kept any more; make it again.") from None


def made(desk: Desk, asked: MapRequest) -> Generator[Event, None, dict[str, Any]]:
    """What is asked for -> the map in its folder; {"id": ...}. Told on the way as `cutaway map` does."""
    from cutaway.draw.atlas import atlas
    from cutaway.verbs.map_run import laid_out, tiles_of

    id_ = id_of(desk, asked)
    if not is_made(id_):
        options = _options(desk, asked)
        notes: list[str] = []
        laid = yield from _noted(laid_out(options), notes)
        yield Progress("small pictures", 0, 1, "sheets")
        sheets = atlas(tiles_of(laid.source))
        columns, data = _packed(_columns(laid))
        head = _head(asked, options, laid, columns, notes)
        head = head.model_copy(update={"sheets": MapSheets(
            count=len(sheets.sheets), columns=sheets.columns, width=sheets.width, height=sheets.height
        )})  # fmt: skip

        def build(draft: Path) -> None:
            for number, sheet in enumerate(sheets.sheets):
                (draft / SHEET.format(number)).write_bytes(sheet)
            (draft / POINTS).write_bytes(_file(head, data))

        build_once(folder_of(id_), build)
    return {"id": id_}


def _noted(work: Generator[Event, None, Laid], notes: list[str]) -> Generator[Event, None, Laid]:
    """The work as it is; the sentences it says are also kept in `notes`."""
    try:
        event = next(work)
        while True:
            if isinstance(event, Note):
                notes.append(event.text)
            try:
                yield event
            except KeyboardInterrupt as stop:
                event = work.throw(stop)
            else:
                event = next(work)
    except StopIteration as ended:
        return cast("Laid", ended.value)


def _options(desk: Desk, asked: MapRequest) -> MapOptions:
    from cutaway.verbs.map import MapOptions

    return MapOptions(
        desk.file_of(asked.about), path_of(asked.data), asked.layer, asked.method, asked.fold, asked.most,
        asked.perplexity, asked.neighbours, seed=asked.seed,
    )  # fmt: skip


def _columns(laid: Laid) -> dict[str, tuple[str, NDArray[Any]]]:
    from cutaway.draw.points import unit_square

    points, placed = laid.points, unit_square(laid.points.xy)
    columns = {
        "x": ("f4", placed[:, 0]), "y": ("f4", placed[:, 1]), "label": ("i4", points.label),
        "predicted": ("i4", points.predicted), "probability": ("f4", points.probability), "agree": ("f4", points.agree),
        "among": ("i4", points.among), "near": ("i4", laid.quality.near[:, :NEAR]),
    }  # fmt: skip
    return columns if points.wrong is None else columns | {"wrong": ("u1", points.wrong)}


def _packed(columns: dict[str, tuple[str, NDArray[Any]]]) -> tuple[tuple[MapColumn, ...], bytes]:
    described, data = [], b""
    for name, (kind, values) in columns.items():
        width = 1 if values.ndim == 1 else values.shape[1]
        described.append(MapColumn.model_validate({"name": name, "type": kind, "width": width, "offset": len(data)}))
        data += np.ascontiguousarray(values.astype(_TYPES[kind])).tobytes()
        data += b"\0" * (-len(data) % 4)
    return tuple(described), data


def _head(
    asked: MapRequest, options: MapOptions, laid: Laid, columns: tuple[MapColumn, ...], notes: list[str]
) -> DataMap:
    from cutaway.draw.points import COLOURS, SHAPES
    from cutaway.verbs.map_run import figures_of, lead_of, result_of, title_of

    points, result = laid.points, result_of(options, laid, Path("map.html"))
    return DataMap(
        title=title_of(result), lead=lead_of(result), meaning=result.meaning,
        figures=tuple(Figure(name=n, value=v, small=s) for n, v, s in figures_of(result)),
        data=asked.data, layer=result.layer, method=result.method, fold=result.fold, count=len(points.names),
        unreadable=len(result.unreadable), notes=tuple(notes), names=points.names, classes=points.classes,
        answers=points.answers, labelled=points.labelled, judged=points.wrong is not None, columns=columns,
        sheets=MapSheets(count=0, columns=1, width=1, height=1), colours=dict(COLOURS), shapes=SHAPES,
    )  # fmt: skip


def _file(head: DataMap, data: bytes) -> bytes:
    """As frames.packed, but that a file name which is not UTF-8 passes through JSON's own escapes."""
    text = json.dumps(head.model_dump(), separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + data


def unpacked(file: bytes) -> tuple[DataMap, dict[str, NDArray[Any]]]:
    """A map's points file -> its head and columns."""
    (length,) = struct.unpack_from("<I", file)
    head = DataMap.model_validate(json.loads(file[4 : 4 + length]))
    found: dict[str, NDArray[Any]] = {}
    for column in head.columns:
        values = np.frombuffer(file, _TYPES[column.type], head.count * column.width, 4 + length + column.offset)
        found[column.name] = values.reshape(head.count, column.width) if column.width > 1 else values
    return head, found


def page_of(id_: str) -> str:
    """A map's id -> the same as one HTML file to pass on, as `cutaway map` writes it."""
    from cutaway.draw.atlas import Atlas
    from cutaway.draw.map_page import map_page

    head, columns = unpacked(read(id_, POINTS))
    s = head.sheets
    sheets = tuple(read(id_, SHEET.format(k)) for k in range(s.count))
    return map_page(
        points_of(head, columns), Atlas(sheets, s.columns, s.width, s.height), title=head.title, kicker="Cutaway map",
        lead=head.lead, meaning=head.meaning, figures=[(f.name, f.value, f.small) for f in head.figures],
    )  # fmt: skip


def picture_of(id_: str) -> bytes:
    """A map's id -> the same as a PNG for a slide."""
    from cutaway.draw.map_picture import map_picture

    head, columns = unpacked(read(id_, POINTS))
    scene = map_picture(
        points_of(head, columns), title=head.title, lines=(head.lead, head.meaning),
        figures=[(f.name, f.value, f.small) for f in head.figures],
    )  # fmt: skip
    return scene.png()


def points_of(head: DataMap, columns: dict[str, NDArray[Any]]) -> Points:
    """Head, columns -> what the drawings take."""
    from cutaway.draw.points import Points

    whole = {name: columns[name].astype(np.int64) for name in ("label", "predicted", "among")}
    xy = np.stack([columns["x"], 1 - columns["y"]], 1).astype(np.float64)
    wrong = columns["wrong"].astype(bool) if "wrong" in columns else None
    return Points(
        head.names, xy, head.classes, whole["label"], head.answers, whole["predicted"],
        columns["probability"].astype(np.float64), wrong, columns["agree"].astype(np.float64), whole["among"],
    )  # fmt: skip


def file_name(head_title: str, ending: str) -> str:
    """A map's title -> what its file is called when it is saved."""
    return os.fspath(re.sub(r"[^\w.-]+", "-", head_title).strip("-")[:80] or "map") + ending
