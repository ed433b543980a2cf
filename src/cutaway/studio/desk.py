"""Desk: the models, pictures and runs that the page is working with, made when first asked for and kept a while.

Nothing here is the truth: a request names its model, picture and edits, and all of it can be made again from those. One
thread computes for what is on the screen ("live"), another for long work (jobs.py), so that the page stays live.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadInput
from cutaway.studio.keep import Keep
from cutaway.studio.schemas.about import About, PictureChange
from cutaway.studio.uploads import path_of

if TYPE_CHECKING:
    from cutaway.engine.node_cache import NodeCache
    from cutaway.graph.shapes import LayerRow
    from cutaway.image import Image, InputContract
    from cutaway.model import Model
    from cutaway.studio.album import Album

P = ParamSpec("P")
R = TypeVar("R")
Pixels = NDArray[np.uint8]

MODELS, EDITED, PICTURES, THUMBNAILS, RUNS = 4, 4, 24, 500, 6


@dataclass(frozen=True, slots=True)
class Start:
    """What `cutaway studio` was given: shown first when the address says nothing else."""

    model: str = ""
    picture: str = ""
    data: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Ran:
    """One picture through the network before and after the edits. Without edits both are the same."""

    before: NodeCache
    after: NodeCache
    model: Model
    base: Model
    picked: dict[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)
    """Layer, how many: the channels that vary most before the edits; looked for once for each run."""


class Desk:
    """One for each server. Its methods are called on the compute threads; `compute` takes work there."""

    def __init__(self, start: Start | None = None, folder: Path | None = None) -> None:
        self.start = start or Start()
        self.folder = folder or Path.cwd()
        self._live = ThreadPoolExecutor(1, "live")
        self._files = ThreadPoolExecutor(1, "files")
        self._models: Keep[Model] = Keep(MODELS)
        self._edited: Keep[Model] = Keep(EDITED)
        self._tables: Keep[tuple[LayerRow, ...]] = Keep(EDITED)
        self._recognised: Keep[str] = Keep(MODELS)
        self._pictures: Keep[Image] = Keep(PICTURES)
        self._thumbnails: Keep[bytes] = Keep(THUMBNAILS)
        self._before: Keep[NodeCache] = Keep(RUNS)
        self._after: Keep[NodeCache] = Keep(3)
        self._picked: Keep[dict[tuple[str, int], tuple[int, ...]]] = Keep(RUNS)
        self.albums: Keep[Album] = Keep(4)

    async def compute(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Work and what it takes -> its result, from the thread that computes for the screen, one piece at a time."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._live, lambda: work(*args, **kwargs))

    async def fetch(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """As `compute`, for reading pictures: a page of thumbnails does not keep the live view waiting."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._files, lambda: work(*args, **kwargs))

    def close(self) -> None:
        for lane in (self._live, self._files):
            lane.shutdown(wait=False, cancel_futures=True)

    def begin(self) -> None:
        """Opens what the studio was started with, so that the page finds it there. Raises BadInput, BadModel,
        BadPicture for what cannot be opened; a file that can only be listed is the page's to show."""
        from cutaway.dataset.named import dataset_names
        from cutaway.dataset.scan import located, not_there
        from cutaway.formats.parts import OnlyView

        model, picture, data = self.start.model, self.start.picture, self.start.data
        if data and not located(data).exists() and data.lower() not in dataset_names():
            raise not_there(data, (*dataset_names(),))
        contract = None
        with contextlib.suppress(OnlyView):
            contract = self.base(About(model=model)).contract if model else None
        if picture:
            self.picture(picture, contract)
        if picture and contract:
            self.run(About(model=model, picture=picture))

    def base(self, about: About) -> Model:
        """About -> the model without edits. Raises BadInput, BadModel as opening it does."""
        from cutaway.verbs.find import find_model

        path = path_of(about.model)
        return self._models.get((path, model_stamp(path)), lambda: find_model(path))

    def model(self, about: About) -> Model:
        """About -> the model with its edits. Raises BadInput, Refusal for edits that do not fit."""
        base = self.base(about)
        if not about.edits:
            return base
        from cutaway.surgery.apply import apply
        from cutaway.surgery.edit import edit_of

        key = (base, json.dumps(about.edits, sort_keys=True))
        return self._edited.get(key, lambda: apply(base, [edit_of(e) for e in about.edits]))

    def table(self, about: About) -> tuple[LayerRow, ...]:
        """About -> the layer table of the edited model."""
        from cutaway.graph.shapes import layer_table

        model = self.model(about)
        size = (model.contract.in_channels, *model.contract.size)
        return self._tables.get(model.graph, lambda: layer_table(model.graph, size))

    def title(self, typed: str) -> str:
        """A model's address -> what the page calls it."""
        from cutaway.verbs.model_name import ZOO, stem_of

        return stem_of(typed if typed.startswith(ZOO) else path_of(typed))

    def recognised(self, model: Model) -> str:
        """Model -> the sentence that says which known network it is, "" where none is near."""
        from cutaway.zoo.recognise import recognise_graph

        size = (model.contract.in_channels, *model.contract.size)
        return self._recognised.get(model.graph, lambda: recognise_graph(model.graph, size).sentence)

    def file_of(self, about: About) -> str:
        """About -> what verbs open: the model's own address, or a file in the cache that holds the edited model."""
        if not about.edits:
            return path_of(about.model)
        from cutaway.dataset.places import cache_folder, writing
        from cutaway.model import save_model

        base = digest_of(about, model_stamp(path_of(about.model)))
        path = cache_folder() / "studio" / "edited" / base / f"{self.title(about.model)}-edited.safetensors"
        if not path.is_file():
            with writing(path.parent):
                path.parent.mkdir(parents=True, exist_ok=True)
            save_model(self.model(about), path)
        return os.fspath(path)

    def picture(self, typed: str, contract: InputContract | None = None) -> Image:
        """Picture's address -> the picture, decoded as large as the contract needs (whole without one). Raises."""
        from cutaway.image.fit import target_px

        if not typed:
            raise BadInput("No picture is chosen yet; drop one on the page or take a sample.")
        path, wanted = path_of(typed), target_px(contract) if contract else None
        return self._pictures.get((path, _stamp(path), wanted), lambda: _read(typed, wanted))

    def thumbnail(self, typed: str, side: int) -> bytes:
        """Picture's address, pixels of the longer side at most -> JPEG. Raises as `picture` does."""
        from cutaway.image.write import thumbnail

        key = (path_of(typed), _stamp(path_of(typed)), side)
        return self._thumbnails.get(key, lambda: thumbnail(_read(typed, side).pixels, side))

    def pixels(self, about: About, contract: InputContract) -> Pixels:
        """About, contract -> the picture at the network's size, changed: uint8 (H, W, 3)."""
        from cutaway.image.fit import fit_picture

        return changed_picture(fit_picture(self.picture(about.picture, contract), contract), about.shift)

    def run(self, about: About, only: frozenset[str] | None = None) -> Ran:
        """About -> its picture through the network before and after the edits; only what they change is run anew.

        `only`: layers whose values after the edits are wanted (None: all); of others there may be none.
        """
        from cutaway.engine.node_cache import NodeCache
        from cutaway.engine.prepare import prepare
        from cutaway.engine.threads import for_one_picture, threads

        base, model = self.base(about), self.model(about)
        seen = (path_of(about.picture), _stamp(path_of(about.picture)), about.shift)
        with threads(for_one_picture(self.table(about.model_copy(update={"edits": ()})))):

            def whole(of: Model) -> NodeCache:
                return NodeCache.of(of.graph, prepare(self.pixels(about, of.contract)[None], of.contract))

            before = self._before.get((base, seen), lambda: whole(base))
            if model is base:
                return Ran(before, before, base, base, self._picked.get(before, dict))

            def edited() -> NodeCache:
                same_input = model.contract == base.contract
                return before.after(model.graph, pure=True, keep=only) if same_input else whole(model)

            after = self._after.get((before, model, only), edited)
        return Ran(before, after, model, base, self._picked.get(before, dict))


def _read(typed: str, wanted: int | None) -> Image:
    """Picture's address, pixels of its shorter side that are wanted (None: all) -> the picture. Raises."""
    from cutaway.dataset.loose import open_pictures

    dataset = open_pictures((path_of(typed),))
    if len(dataset) != 1:
        raise BadInput(f"One picture is looked at at a time, and {typed} holds {len(dataset)}; name one.")
    return dataset.read(0, wanted)


def changed_picture(fitted: Pixels, shift: tuple[PictureChange, ...]) -> Pixels:
    """uint8 (H, W, 3), changes in order -> the changed picture of the same size. Raises BadInput beyond a limit."""
    from cutaway.surgery.shift import Change, changed

    for one in shift:
        most = _most(one)
        if most is not None:
            fitted = changed(fitted, Change(one.kind, most, one.along), one.amount)
    return fitted


def digest_of(about: About, stamp: Any) -> str:
    """About and what its file was -> the same text for the same edited model."""
    text = json.dumps([path_of(about.model), stamp, about.edits], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _most(one: PictureChange) -> float | None:
    """How far this change goes, as `Change` counts it; None where it changes nothing."""
    if one.kind == "zoom":
        return None if one.amount == 1 else max(one.amount, 1 / one.amount if one.amount > 0 else 0)
    if one.kind in ("brightness", "contrast", "saturation"):
        return None if one.amount == 1 else abs(one.amount - 1)
    return abs(one.amount) or None


def model_stamp(typed: str) -> tuple[str, Any]:
    """What `find_model` takes -> its file, the network it is opened as, and what changes when the file does.

    "last" is the run that it means now.
    """
    from cutaway.errors import CutawayError
    from cutaway.verbs.find import file_of
    from cutaway.verbs.model_name import ZOO, named_network

    if typed.startswith(ZOO):
        return typed, None
    try:
        path = file_of(typed).resolve()
    except CutawayError:
        return typed, None  # opening it tells why
    if path.is_dir():
        path = next((p for p in (path / "model.safetensors", path / "model.json") if p.is_file()), path)
    return f"{named_network(typed)[0]}:{path}", _stamp(str(path))


def _stamp(path: str) -> Any:
    """What changes when the file does: a model that was trained anew is opened anew."""
    try:
        about = Path(path).stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size
