"""Lesson 1 and what all lessons share: the reader's picture at the network's size, as numbers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadInput
from cutaway.studio.desk import Desk
from cutaway.studio.frames import quantised
from cutaway.studio.keep import Keep
from cutaway.studio.learn_spots import first_filters, spots
from cutaway.studio.schemas.learn import (
    ClassAnswer,
    Colours,
    LessonRequest,
    LessonStart,
    PictureRow,
    PictureRowRequest,
    PixelNumbers,
    PixelsRequest,
    Plane,
    ShrinkRequest,
    Shrunk,
    ShrunkAnswer,
)

if TYPE_CHECKING:
    from cutaway.image import InputContract

Pixels = NDArray[np.uint8]
PLAIN_SIDE = 224
_FITTED: Keep[Pixels] = Keep(6)


def contract_of(desk: Desk, asked: LessonRequest) -> InputContract:
    """Request -> its model's contract; without a model a plain one: 224 x 224 pixels, levels / 255."""
    from cutaway.image import InputContract

    return desk.model(asked).contract if asked.model else InputContract(size=(PLAIN_SIDE, PLAIN_SIDE))


def pixels_of(desk: Desk, asked: LessonRequest) -> Pixels:
    """Request -> its picture at the network's size, uint8 (H, W, 3); kept, since every step of a slider asks for it."""
    contract = contract_of(desk, asked)
    key = (desk.picture(asked.picture, contract), contract, asked.shift)
    return _FITTED.get(key, lambda: desk.pixels(asked, contract))


def plane(values: NDArray[Any]) -> Plane:
    """(H, W) -> Plane."""
    found = quantised(values[None].astype(np.float32))
    height, width = values.shape
    return Plane(height=height, width=width, lo=rounded(found.lo[0]), hi=rounded(found.hi[0]), data=_text(found.data))


def picture(pixels: Pixels) -> Colours:
    """uint8 (H, W, 3) -> Colours."""
    return Colours(height=pixels.shape[0], width=pixels.shape[1], data=_text(pixels))


def rounded(value: float) -> float:
    """Seven digits: what float32 holds. Minus zero is zero."""
    return float(f"{value:.7g}") + 0.0


def rows(values: NDArray[Any]) -> tuple[tuple[float, ...], ...]:
    """(H, W) -> rows of numbers."""
    return tuple(tuple(rounded(v) for v in row) for row in values.tolist())


def start(desk: Desk, asked: LessonRequest) -> LessonStart:
    from cutaway.engine.lesson.picture import brightest
    from cutaway.image.kept import kept_box

    contract, pixels = contract_of(desk, asked), pixels_of(desk, asked)
    found = desk.picture(asked.picture, contract)
    stored = found.stored_size if all(found.stored_size) else found.pixels.shape[:2]
    filters, first = first_filters(desk, asked)
    return LessonStart(
        model=desk.title(asked.model) if asked.model else "",
        classes=desk.model(asked).classes if asked.model else (),
        picture=picture(pixels),
        stored=(stored[0], stored[1]),
        kept=kept_box((stored[0], stored[1]), contract),
        contract=contract.describe(),
        fit=contract.fit,
        interpolation=contract.interpolation,
        channels=_channels(contract),
        formula=_formula(contract),
        filters=filters,
        first=first,
        brightest=brightest(pixels),
        spots=spots(desk, asked),
    )


def numbers(desk: Desk, asked: PixelsRequest) -> PixelNumbers:
    from cutaway.engine.lesson.picture import brightness
    from cutaway.engine.prepare import prepare

    contract, pixels = contract_of(desk, asked), pixels_of(desk, asked)
    height, width = pixels.shape[:2]
    row = min(asked.row, max(0, height - asked.count))
    column = min(asked.column, max(0, width - asked.count))
    square = (slice(row, row + asked.count), slice(column, column + asked.count))
    inputs: NDArray[np.float32] = prepare(pixels[None], contract)[0].numpy()  # (C, H, W)
    light = brightness(pixels)
    return PixelNumbers(
        row=row,
        column=column,
        levels=tuple(tuple((int(p[0]), int(p[1]), int(p[2])) for p in line) for line in pixels[square]),
        inputs=tuple(rows(channel[square]) for channel in inputs),
        lo=tuple(rounded(v) for v in inputs.min((1, 2))),
        hi=tuple(rounded(v) for v in inputs.max((1, 2))),
        bright=bool(light[square].max() >= light.max()),
    )


def shrink(desk: Desk, asked: ShrinkRequest) -> Shrunk:
    from cutaway.engine.lesson.picture import shrunk

    pixels = pixels_of(desk, asked)
    small, again = shrunk(pixels, min(asked.side, max(pixels.shape[:2])), contract_of(desk, asked))
    error = np.abs(again.astype(np.int16) - pixels).mean()
    return Shrunk(small=picture(small), numbers=small.size, of=pixels.size, error=rounded(error))


def shrunk_answer(desk: Desk, asked: ShrinkRequest) -> ShrunkAnswer:
    from cutaway.engine.lesson.picture import shrunk
    from cutaway.engine.prepare import prepare
    from cutaway.engine.threads import for_one_picture, threads
    from cutaway.engine.trace import trace_steps
    from cutaway.surgery.effect import probabilities

    if not asked.model:
        raise BadInput("No model is chosen yet; choose one on the Home page to see what it makes of a small picture.")
    model, pixels = desk.model(asked), pixels_of(desk, asked)
    side = min(asked.side, max(pixels.shape[:2]))
    _, again = shrunk(pixels, side, model.contract)
    with threads(for_one_picture(desk.table(asked))):
        answers = trace_steps(model.graph, prepare(np.stack([pixels, again]), model.contract), ()).output
    whole, now = probabilities(model, answers)
    top, answer = int(whole.argmax()), int(now.argmax())
    return ShrunkAnswer(
        side=side,
        whole=ClassAnswer(name=model.classes[top], p=rounded(whole[top])),
        shrunk=ClassAnswer(name=model.classes[answer], p=rounded(now[answer])),
        whole_now=rounded(now[top]),
        same=top == answer,
    )


def row(desk: Desk, asked: PictureRowRequest) -> PictureRow:
    from cutaway.engine.lesson.picture import row_of

    pixels = pixels_of(desk, asked)
    at, cells = min(asked.row, len(pixels) - 1), min(asked.cells, pixels.shape[1])
    return PictureRow(row=at, values=tuple(row_of(pixels, at, cells).tolist()))


def _channels(contract: InputContract) -> tuple[str, ...]:
    names = {"R": "red", "G": "green", "B": "blue"}
    return ("brightness",) if contract.channels == "gray" else tuple(names[c] for c in contract.channels)


def _formula(contract: InputContract) -> str:
    """What is done to a level, as a person writes it: "level / 255 * 2 - 1"."""
    text = "level / 255"
    if contract.scale != 1:
        text += f" × {contract.scale:g}"
    if contract.offset:
        text += f" {'+' if contract.offset > 0 else '−'} {abs(contract.offset):g}"
    for sign, values, nothing in (("−", contract.mean, 0.0), ("÷", contract.std, 1.0)):
        given = values[: contract.in_channels]
        if any(v != nothing for v in given):
            shown = f"{given[0]:g}" if len(set(given)) == 1 else "(" + ", ".join(f"{v:g}" for v in given) + ")"
            text = f"({text}) {sign} {shown}" if sign == "÷" else f"{text} {sign} {shown}"
    return text


def _text(values: NDArray[np.uint8]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
