"""Points of a map, their small pictures -> one HTML file to walk about in; it asks nothing of any network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.atlas import Atlas
from cutaway.draw.html import embedded, environment, policy
from cutaway.draw.points import COLOURS, SHAPES, Points, unit_square
from cutaway.draw.svg import DARK, LIGHT, asset, variables

STEPS = 65535
"""Places are whole numbers from 0 to this: a tenth of the page, and finer than any screen."""


def map_page(
    points: Points, tiles: Atlas, *, title: str, kicker: str, lead: str, meaning: str,
    figures: Sequence[tuple[str, str, str]], folder: str = "",
) -> str:  # fmt: skip
    """Points, their small pictures, what is written above them -> the text of the page.

    `folder`: where the photos' names begin, as seen from the page ("" where they are not files of their own): each
    opened photo then has a link to its file.
    """
    from markupsafe import Markup

    script = asset("map.js")
    return environment().get_template("map.html.j2").render(
        policy=policy(script), style=Markup(_style()), script=Markup(script), title=title, kicker=kicker, lead=lead,
        meaning=meaning, figures=figures, points=points, count=len(points.names),
        data=Markup(embedded(_data(points, tiles, folder))),
    ).encode("utf-8", "replace").decode("utf-8")  # fmt: skip


def _data(points: Points, tiles: Atlas, folder: str) -> dict[str, Any]:
    placed = np.rint(unit_square(points.xy) * STEPS).astype(int)
    return {
        "names": points.names, "x": placed[:, 0].tolist(), "y": placed[:, 1].tolist(), "steps": STEPS,
        "classes": points.classes, "label": points.label.tolist(),
        "answers": points.answers, "predicted": points.predicted.tolist(),
        "probability": _thousandths(points.probability),
        "wrong": None if points.wrong is None else points.wrong.astype(int).tolist(),
        "agree": _thousandths(points.agree), "among": points.among.tolist(),
        "colours": COLOURS, "shapes": SHAPES, "folder": folder,
        "tile": {"width": tiles.width, "height": tiles.height, "columns": tiles.columns},
        "sheets": [f"data:image/jpeg;base64,{base64.b64encode(sheet).decode()}" for sheet in tiles.sheets],
    }  # fmt: skip


def _thousandths(values: NDArray[np.float64]) -> list[int]:
    """Shares -> whole thousandths, -1 for NaN."""
    return np.where(np.isnan(values), -1, np.rint(np.nan_to_num(values) * 1000)).astype(int).tolist()  # type: ignore[no-any-return]


def _style() -> str:
    return (
        f":root{{{variables(LIGHT)}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}"
        f":root[data-theme=light]{{{variables(LIGHT)}}}:root[data-theme=dark]{{{variables(DARK)}}}"
        f"{asset('map.css')}"
    )
