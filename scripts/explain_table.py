"""Every method's checks where the reason is known, and on a Teachable Machine export -> docs/explanations.md.

.venv/bin/python scripts/explain_table.py            # the page again, from docs/coverage/explanations.json
.venv/bin/python scripts/explain_table.py measure    # measures anew (minutes); the photos lie in ../shared/data
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import CutawayError
from cutaway.explanation.checks import check, controls
from cutaway.explanation.edges import edges
from cutaway.explanation.explanation import explained
from cutaway.explanation.method import METHODS, Answer, Method, NoSettings, method_named
from cutaway.explanation.question import Question, ask
from cutaway.explanation.trust import Tally

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "docs" / "coverage" / "explanations.json", ROOT / "docs" / "explanations.md"
DATA = ROOT.parent / "shared" / "data"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
SETS = {
    "shapes": "shapes whose outline is known",
    "teachable-machine": "a Teachable Machine export, photos of cats and dogs",
}
FIGURES = ("deletion", "insertion", "over_lot", "over_edges", "randomised", "shifted", "completeness")
LIBRARIES = ("torch", "captum", "zennit", "lime", "shap")
Result = TypeVar("Result")


def by_lot(question: Question, _: NoSettings) -> Answer:
    """Random numbers: a map that knows nothing. They do not move with the picture."""
    random = np.random.default_rng(question.pixels[:, ::7, ::7].astype(np.int64).ravel())
    return Answer(random.random((len(question), *question.size), np.float32))


def centre(question: Question, _: NoSettings) -> Answer:
    """A blob in the middle of every picture, where photographers put things."""
    height, width = question.size
    y, x = (np.linspace(-1, 1, n) for n in (height, width))
    blob = np.exp(-(y[:, None] ** 2 + x[None] ** 2) / 0.2).astype(np.float32)
    return Answer(np.broadcast_to(blob, (len(question), height, width)).copy())


def edge_detector(question: Question, _: NoSettings) -> Answer:
    """Where the picture has edges, whatever the network."""
    return Answer(edges(question.pixels))


def control(name: str, title: str, explain: Any) -> Method:
    return Method(name, title, "", "", "", "", explain, needs_gradient=False)


CONTROLS = (
    control("random", "Random numbers", by_lot),
    control("centre", "Blob in the middle", centre),
    control("edge-detector", "Edge detector", edge_detector),
)


def measured(
    methods: Sequence[Method], question: Question, masks: NDArray[np.bool_] | None = None
) -> Iterator[dict[str, Any]]:
    """Methods, question, where known the objects' masks (N, H, W) -> one row of figures for each method."""
    against = run_out(controls(question))
    for method in methods:
        settings = method.settings()
        try:
            answer, seconds = run_out(explained(method, question, settings))
            found = run_out(check(method, question, settings, answer, against))
        except CutawayError as refused:
            yield {"method": method.name, "title": method.title, "refused": str(refused)}
            continue
        tally = Tally()
        for checks in found:
            tally.add(checks, seconds / len(found), answer.layer)
        told = tally.verdict(method.title)
        row: dict[str, Any] = {"method": method.name, "title": method.title, "verdict": told.level}
        row |= {"pictures": len(found), "passed": tally.levels["passes"]}
        if masks is not None:
            row |= {"pointing": pointing(answer.maps, masks), "mass": mass(answer.maps, masks)}
        sums = tally.sums
        yield row | {name: round(sums[name].mean, 4) if name in sums else None for name in FIGURES}


def pointing(maps: NDArray[np.float32], masks: NDArray[np.bool_]) -> float:
    """-> share of the maps whose largest value lies in the object (Zhang et al. 2016, the pointing game); where
    several pixels are the largest, the share of these."""
    hits = [mask[map_ == map_.max()].mean() for map_, mask in zip(maps, masks, strict=True)]
    return round(float(np.mean(hits)), 4)


def mass(maps: NDArray[np.float32], masks: NDArray[np.bool_]) -> float:
    """-> share of the maps' positive values that lies in the object."""
    positive = np.maximum(maps, 0)
    whole = np.maximum(positive.sum((1, 2)), 1e-12)
    return round(float(((positive * masks).sum((1, 2)) / whole).mean()), 4)


def run_out(events: Generator[Any, None, Result]) -> Result:
    while True:
        try:
            next(events)
        except StopIteration as end:
            found: Result = end.value
            return found


def installed() -> tuple[Method, ...]:
    """-> every method whose optional library is there."""
    found = []
    for name in METHODS:
        try:
            found.append(method_named(name))
        except CutawayError as refused:
            print(refused)
    return tuple(found)


def measure(count: int = 24, photos: int = 8) -> dict[str, Any]:
    """-> all figures: `count` shapes, `photos` photos."""
    from scripts.known_reasons import shapes, shapes_model

    methods = (*CONTROLS, *installed())
    pixels, masks, labels = shapes(count, 1)
    question = ask(shapes_model(), pixels, labels.tolist())
    rows = {"shapes": list(_said(measured(methods, question, masks)))}
    rows["teachable-machine"] = list(_said(measured(methods, _cats_and_dogs(photos))))
    return {"versions": {name: version(name) for name in LIBRARIES if _there(name)}, "rows": rows}


def _cats_and_dogs(count: int) -> Question:
    from cutaway.image.fit import fit_picture
    from cutaway.image.read import read_image
    from cutaway.model import open_model

    model = open_model(DATA / "teachable-machine" / "cat-dog-h5" / "keras_model.h5")
    files = sorted((DATA / "cats-vs-dogs" / "test").rglob("*.jpg"))
    chosen = files[:: max(1, len(files) // count)][:count]
    return ask(model, np.stack([fit_picture(read_image(file), model.contract) for file in chosen]))


def _said(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        print({k: v for k, v in row.items() if k != "title"}, flush=True)
        yield row


def _there(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


def page(before: str, results: dict[str, Any]) -> str:
    """The page as it is, figures -> the page with its tables from these figures."""
    head, rest = before.split(BEGIN)
    tail = rest.split(END)[1]
    return f"{head}{BEGIN}\n{tables(results)}{END}{tail}"


def tables(results: dict[str, Any]) -> str:
    parts = []
    for name, rows in results["rows"].items():
        parts.append(f"\n### On {SETS[name]}\n\n{_over(rows)}\n\n" + "\n".join(table(rows)) + "\n")
    used = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return "".join(parts) + f"\nMeasured with {used}.\n\n"


def _over(rows: Sequence[dict[str, Any]]) -> str:
    """-> over how many pictures the means are, and which rows are over fewer."""
    most = max(row.get("pictures", 0) for row in rows)
    fewer = [row for row in rows if row.get("pictures", most) < most]
    named = f" (of {', '.join(row['title'] for row in fewer)} over {fewer[0]['pictures']})" if fewer else ""
    return f"Means over {most} pictures{named}."


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    known = any("pointing" in row for row in rows)
    where = ["in the object: peak", "in the object: mass"] if known else []
    columns = ["method", *where, "deletion", "insertion", "than chance", "than edges", "random weights", "shift"]
    yield "| " + " | ".join([*columns, "passed", "verdict"]) + " |"
    yield "|---|" + "---:|" * len(columns) + "---|"
    for row in rows:
        if "refused" in row:
            yield f"| {row['title']} |" + " – |" * len(columns[1:]) + " cannot |  |"
            continue
        names = ["pointing", "mass"] * known + ["deletion", "insertion", "over_lot", "over_edges", "randomised"]
        cells = [_number(row[name]) for name in [*names, "shifted"]]
        passed = f"{row['passed']}/{row['pictures']}"
        yield "| " + " | ".join([row["title"], *cells, passed, row["verdict"]]) + " |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if sys.argv[1:] == ["measure"]:
        RESULTS.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    text = page(PAGE.read_text(encoding="utf-8"), json.loads(RESULTS.read_text(encoding="utf-8")))
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} written")
