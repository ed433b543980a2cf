"""ExplainResult -> the page: photos, their maps with what was measured of them, what was left out and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.explain import MapCell, PictureMaps, left_out_block, picture_block
from cutaway.draw.overlay import PERCENTILE
from cutaway.draw.scene import page
from cutaway.draw.trust_strip import Curve, Trust
from cutaway.explanation.explanation import Checks, Explanation
from cutaway.explanation.method import Method, method_named
from cutaway.model import Model
from cutaway.options import fields_of
from cutaway.verbs.explain import ExplainedPicture, ExplainResult
from cutaway.verbs.model_name import title_of


def write_page(path: Path, result: ExplainResult, pixels: NDArray[np.uint8], model: Model, *, several: bool) -> None:
    """Result, pixels (N, H, W, 3) of the photos to show, model, whether several classes share a scale -> the file."""
    shown = result.pictures[: len(pixels)]
    blocks = [
        picture_block(
            _maps(picture, [e for e in result.explanations if e.picture == picture.name], own, model, several)
        )
        for picture, own in zip(shown, pixels, strict=True)
    ]
    if result.left_out:
        blocks.append(left_out_block(result.left_out))
    title, *lines = _titles(result, model)
    scene = page(title, lines, blocks, gap=44)
    if path.suffix.lower() == ".svg":
        path.write_text(scene.svg(), encoding="utf-8")
    else:
        path.write_bytes(scene.png())


def _titles(result: ExplainResult, model: Model) -> tuple[str, ...]:
    first, explained = result.pictures[0], result.explanations
    classes = list(dict.fromkeys(e.question for e in explained))
    if len(result.pictures) == 1:
        answer = f"{_short(first.name)} → {first.top[0][0]}, {_percent(first.top[0][1])}"
    else:
        answer = f"{len(result.pictures)} photos"
    what = f"why {classes[0]}" if len(classes) == 1 else "where the answer comes from"
    unit = (
        "the score (logit) of one class less that of the other" if explained[0].against else
        "the class's score (logit, before the softmax)"
    )  # fmt: skip
    lines = [
        f"{_network(result.model, model)}: {model.contract.describe()}.",
        f"Colours in units of {unit}{_exceptions(explained)}: orange above zero, blue and hatched below, white is "
        f"zero. They end at the {PERCENTILE:g}th percentile.",
    ]
    if any(e.checks for e in explained):
        lines.append(
            "Curves: the class's probability while pixels are taken away (deletion: low is good) or brought back "
            "(insertion: high is good), the largest values first; grey: in random order."
        )
    return f"{answer}: {what}", *lines


def _maps(
    picture: ExplainedPicture, found: Sequence[Explanation], pixels: NDArray[np.uint8], model: Model, several: bool
) -> PictureMaps:
    lines: dict[str, list[MapCell]] = {}
    for e in found:
        lines.setdefault(e.method, []).append(_cell(e, several))
    questions = list(dict.fromkeys(e.question for e in found))
    told = f"Explained: {questions[0]}, score {found[0].value:.2f}" if len(questions) == 1 else (
        f"Explained: {', '.join(questions[:4])}{' ...' if len(questions) > 4 else ''}"
    )  # fmt: skip
    classes = len(model.classes) or len(picture.top)
    return PictureMaps(
        _short(picture.name), pixels, picture.top, classes, told.replace("-", "−"), list(lines.values()), several
    )


def _cell(e: Explanation, several: bool) -> MapCell:
    method = method_named(e.method)
    told = [
        f"layer {e.layer}" if e.layer else "",
        *(_setting(method, k, v) for k, v in e.settings.items() if _worth(k, v)),
    ]
    return MapCell(
        method.title, e.map, method.says, " · ".join(t for t in told if t),
        f"for {e.question}, score {e.value:.2f}".replace("-", "−") if several else "", e.notes, _trust(e.checks),
    )  # fmt: skip


def _exceptions(explained: Sequence[Explanation]) -> str:
    """Explanations -> which of their maps are not in units of the score: ", those of Eigen-CAM in the layer's"."""
    methods = [method_named(name) for name in dict.fromkeys(e.method for e in explained)]
    titles = [method.title for method in methods if method.units == "layer"]
    return f", those of {' and '.join(titles)} in the layer's" if titles else ""


def _worth(name: str, value: Any) -> bool:
    """The layer is told by itself; empty values say nothing."""
    return name != "layer" and value not in ("", None)


def _setting(method: Method, name: str, value: Any) -> str:
    """Method, knob, value -> its words; "auto" where the knob's own sentence says what 0 stands for."""
    says = {field.name: field.help for field in fields_of(method.settings)}
    auto = not isinstance(value, bool) and value == 0 and "0:" in says.get(name, "")
    shown = ("no", "yes")[value] if isinstance(value, bool) else "auto" if auto else value
    return f"{name.replace('_', ' ')} {shown}"


def _trust(checks: Checks | None) -> Trust | None:
    if checks is None:
        return None
    curves = (
        Curve("deletion", checks.deletion_curve, checks.deletion_curve_random, checks.deletion,
              checks.deletion_random, checks.deletion_edges),
        Curve("insertion", checks.insertion_curve, checks.insertion_curve_random, checks.insertion,
              checks.insertion_random, checks.insertion_edges),
    )  # fmt: skip
    figures = [
        (_correlation(checks.randomised), "random weights"),
        (_correlation(checks.shifted), "shifted 1 px"),
    ]
    if checks.completeness is not None:
        figures.append((_percent(checks.completeness), "missing in sum"))
    return Trust(curves, tuple(figures), checks.verdict.level, checks.verdict.sentence, checks.notes)


def _correlation(value: float | None) -> str:
    return "–" if value is None else f"ρ {value:.2f}".replace("-", "−")


def _network(typed: str, model: Model) -> str:
    if typed == "model":
        return model.card.get("network", "the network")
    return title_of(typed)


def _short(name: str) -> str:
    return Path(name).name.removeprefix("sample:")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
