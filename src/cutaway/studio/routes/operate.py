"""Edits as controls and as a list, what they do to accuracy, and the edited model as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, JSONResponse

from cutaway.errors import CutawayError
from cutaway.studio.desk import Desk
from cutaway.studio.given import TheDesk, TheJobs
from cutaway.studio.outcome import job_folder
from cutaway.studio.routes.jobs import card
from cutaway.studio.schemas.about import About, Remedy, Told
from cutaway.studio.schemas.home import Uploaded
from cutaway.studio.schemas.jobs import JobCard
from cutaway.studio.schemas.operate import (
    AccuracyRequest,
    CanvasRequest,
    EditLine,
    Edits,
    HistoryRead,
    HistoryRequest,
    HistoryText,
    Operations,
    OperationsRequest,
    PaintedRequest,
    PictureTool,
    Untrained,
)
from cutaway.studio.told import told
from cutaway.studio.uploads import keep_upload, path_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutaway.model import Model
    from cutaway.surgery.edit import Edit

router = APIRouter(prefix="/api")


@router.post("/operations")
async def operations(desk: TheDesk, asked: OperationsRequest) -> Operations:
    """A step (or the network as a whole) -> every edit that fits it, with its values as they are."""
    return await desk.compute(_operations, desk, asked)


def _operations(desk: Desk, asked: OperationsRequest) -> Operations:
    from cutaway.surgery.controls import controls_of
    from cutaway.surgery.edit import edit_of

    edits = [edit_of(document) for document in asked.edits]
    found = controls_of(desk.model(asked), asked.layer, asked.channels, asked.inputs, edits)
    return Operations.model_validate(found)


@router.post("/edits")
async def edits(desk: TheDesk, about: About) -> Edits:
    """The edits in words; what followed from them; why they are refused, if they are."""
    return await desk.compute(_edits, desk, about)


def _edits(desk: Desk, about: About) -> Edits:
    import json

    from cutaway.graph.digest import digest
    from cutaway.surgery.edit import edit_of
    from cutaway.surgery.phrases import text_of

    base = desk.base(about)
    made = [edit_of(document) for document in about.edits]
    lines = tuple(EditLine(sentence=e.sentence, text=text_of(e), layers=e.layers) for e in made)
    card_: dict[str, str] = {}
    refused = None
    try:
        card_ = desk.model(about).card
    except CutawayError as error:
        refused = _refused(error, base, made)
    found = json.loads(card_.get("untrained", "{}"))
    return Edits(
        edits=lines, untrained=tuple(Untrained(layer=k, why=v) for k, v in found.items()),
        adapted=card_.get("adapted", ""), refused=refused, digest=digest(base.graph),
    )  # fmt: skip


def _refused(error: CutawayError, base: Model, made: Sequence[Edit]) -> Told:
    """An error of the list -> which edit it is about; leaving that one and those after it out always mends it."""
    from cutaway.surgery.apply import operated

    why = told(error)
    if why.kind == "refusal":
        return why
    for at in range(len(made)):
        try:
            operated(base, made[: at + 1])
        except CutawayError:
            leave = Remedy(sentence="leave the edit out")
            return why.model_copy(update={"at": at, "layer": next(iter(made[at].layers), ""), "remedies": (leave,)})
    return why


@router.post("/edits/file")
async def edits_file(desk: TheDesk, asked: HistoryRequest) -> JSONResponse:
    """The list of edits, what was undone and the branches -> the file that `cutaway edit --edits` reads."""
    document = await desk.compute(_history, desk, asked)
    name = f"{desk.title(asked.model)}-edits.json".replace('"', "")
    return JSONResponse(document, headers={"Content-Disposition": f'attachment; filename="{_ascii(name)}"'})


def _history(desk: Desk, asked: HistoryRequest) -> dict[str, Any]:
    from cutaway.graph.digest import digest
    from cutaway.surgery.edit import edit_of
    from cutaway.surgery.history import History

    read = {name: tuple(map(edit_of, found)) for name, found in asked.branches.items()}
    made, undone = (tuple(map(edit_of, found)) for found in (asked.edits, asked.undone))
    return History(digest(desk.base(asked).graph), made, undone, read).to_dict()


@router.post("/edits/read")
async def edits_read(desk: TheDesk, asked: HistoryText) -> HistoryRead:
    """The text of a file of edits -> its edits and branches."""
    return await desk.compute(_read, desk, asked)


def _read(desk: Desk, asked: HistoryText) -> HistoryRead:
    from cutaway.graph.digest import digest
    from cutaway.surgery.history import history_in

    found = history_in(asked.text, asked.name)
    other = found.model not in ("", digest(desk.base(asked).graph))
    return HistoryRead(
        edits=tuple(e.to_dict() for e in found.edits),
        branches={name: tuple(e.to_dict() for e in made) for name, made in found.branches.items()},
        note="These edits were made on another model; they are tried on this one." if other else "",
    )


@router.post("/edited", response_class=FileResponse)
async def edited(desk: TheDesk, about: About) -> FileResponse:
    """-> the edited model as one .safetensors file, which holds its edits too."""

    def write() -> str:
        if about.edits:
            return desk.file_of(about)
        from cutaway.model import save_model

        path = job_folder() / f"{desk.title(about.model)}.safetensors"
        save_model(desk.base(about), path)
        return str(path)

    path = await desk.compute(write)
    name = f"{desk.title(about.model)}{'-edited' if about.edits else ''}.safetensors"
    return FileResponse(path, filename=name, media_type="application/octet-stream")


@router.post("/accuracy")
async def accuracy(desk: TheDesk, jobs: TheJobs, asked: AccuracyRequest) -> JobCard:
    """Edited model, labelled photos -> a job that measures accuracy before and after, with the photos that flipped."""
    from cutaway.studio import accuracy as measuring

    base, model = await desk.compute(lambda: (desk.base(asked), desk.model(asked)))
    data, edits, fold = path_of(asked.data), asked.edits, asked.fold
    return card(jobs.start("accuracy", lambda: measuring.accuracy(base, model, edits, data, fold, job_folder())))


@router.post("/picture-tools")
async def picture_tools(desk: TheDesk, about: About) -> tuple[PictureTool, ...]:
    """-> the changes of the picture as sliders, their ranges by the network's input."""
    return await desk.compute(lambda: _tools(*desk.model(about).contract.size))


def _tools(height: int, width: int) -> tuple[PictureTool, ...]:
    def tool(kind: str, label: str, low: float, high: float, step: float, rest: float = 0, **more: Any) -> PictureTool:
        from cutaway.surgery.shift import UNITS

        unit = {"pixels": "px", "degrees": "°", "times": "×"}.get(UNITS[kind], UNITS[kind])
        return PictureTool.model_validate(
            {"kind": kind, "along": "x", "label": label, "unit": unit, "low": low, "high": high, "step": step,
             "rest": rest, "log": False, **more}
        )  # fmt: skip

    return (
        tool("translate", "Right", -(width // 2), width // 2, 1),
        tool("translate", "Down", -(height // 2), height // 2, 1, along="y"),
        tool("rotate", "Turn", -180, 180, 1),
        tool("zoom", "Zoom", 0.25, 4, 0.01, 1, log=True),
        tool("cover", "Cover", 0, 1, 0.01),
        tool("brightness", "Brightness", 0, 2, 0.01, 1),
        tool("contrast", "Contrast", 0, 2, 0.01, 1),
        tool("saturation", "Saturation", 0, 2, 0.01, 1),
        tool("hue", "Hue", -180, 180, 1),
    )


@router.post("/canvas", response_class=Response)
async def canvas(desk: TheDesk, asked: CanvasRequest) -> Response:
    """-> the picture to paint on, PNG with exact levels: at the network's size, or whole, upright and unchanged."""
    from cutaway.image.write import to_png

    def drawn() -> bytes:
        if asked.whole:
            return to_png(desk.picture(asked.picture).pixels)
        about = asked.model_copy(update={"shift": ()})
        return to_png(desk.pixels(about, desk.model(asked).contract))

    return Response(await desk.compute(drawn), media_type="image/png")


@router.post("/painted")
async def painted(desk: TheDesk, asked: PaintedRequest) -> Uploaded:
    """A picture that was painted at the network's size -> the address of one that reaches the network like that."""

    def laid_out() -> bytes:
        from cutaway.errors import BadInput
        from cutaway.image.fit import unfitted
        from cutaway.image.write import to_png

        contract, pixels = desk.model(asked).contract, desk.picture(asked.picture).pixels
        if pixels.shape[:2] != contract.size:
            found, wanted = (" x ".join(map(str, size)) for size in (pixels.shape[:2], contract.size))
            raise BadInput(f"The painted picture has {found} pixels, and the network takes {wanted}; paint it again.")
        return to_png(unfitted(pixels, contract))

    data = await desk.compute(laid_out)

    async def whole() -> AsyncIterator[bytes]:
        yield data

    name = "painted.png"
    address, size = await keep_upload(name, whole())
    return Uploaded(address=address, name=name, bytes=size)


def _ascii(name: str) -> str:
    return name.encode("ascii", "replace").decode().replace("?", "_")
