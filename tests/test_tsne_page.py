"""The tables of docs/guides/map.md are what scripts/tsne_study.py makes of docs/coverage/tsne.json."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("tsne_study", ROOT / "scripts" / "tsne_study.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_holds_the_results(script: Any) -> None:
    told = json.loads(script.RESULTS.read_text(encoding="utf-8"))
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.renewed(page, script.tables(told)) == page


def test_every_photo_the_page_speaks_of_was_looked_at(script: Any) -> None:
    told = json.loads(script.RESULTS.read_text(encoding="utf-8"))
    assert {s["name"]: s["seen"] for s in told["strangers"]} == script.SEEN


def test_changed_labels_are_links_in_the_other_folder(script: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("train/cats/a.jpg", "train/dogs/b.jpg", "test/cats/c.jpg"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)
    tree = script.plant(
        data, tmp_path / "tree", {"train/cats/a.jpg", "train/dogs/b.jpg"}, put_back={"train/dogs/a.jpg"}
    )
    found = {str(p.relative_to(tree)): p.read_text() for p in tree.rglob("*.jpg")}
    assert found == {
        "train/cats/a.jpg": "train/cats/a.jpg",
        "train/cats/b.jpg": "train/dogs/b.jpg",
        "test/cats/c.jpg": "test/cats/c.jpg",
    }


def test_figures_are_told_with_the_interval_of_one_test_fold(script: Any) -> None:
    result = {"counts": [[385, 400], [375, 400]]}
    assert script.mean(result) == "95.0 % (92.4 to 96.7)"  # Wilson's interval of 380 of 400
    assert script.each(result) == "96.2 %, 93.8 %"
    found = script.found({"a", "b"}, {"b", "c"})
    assert found == {"pointed_at": 2, "right": 1, "changed": 2}
    places = {"x": [0.0] * 12 + [9.0] * 12, "y": [float(i) for i in range(12)] * 2, "label": ["a"] * 12 + ["b"] * 12,
              "name": [str(i) for i in range(24)]}  # fmt: skip
    places["label"][3] = "b"
    assert script._strangers_on_map(places) == {"3"}
