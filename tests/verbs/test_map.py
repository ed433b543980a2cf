"""map on a real run: three files that agree, the same map twice, layers, folds, photos without labels, bad input."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from shapes import Cli

import cutaway as ca
from cutaway.errors import BadInput
from cutaway.events import Note


def data_of(page: Path) -> Any:
    text = page.read_text(encoding="utf-8")
    return json.loads(re.findall(r'<script type="application/json" id="page-data">(.*?)</script>', text, re.S)[0])


@pytest.mark.usefixtures("first")
def test_page_picture_and_table_say_the_same() -> None:
    made = ca.map("runs/first", "shapes", fold="all", out="maps/all.html")
    assert (made.pictures, made.fold, made.layer, made.method) == (42, "all", "flatten", "tsne")
    assert (made.page, made.picture, made.table) == (
        Path("maps/all.html"),
        Path("maps/all.png"),
        Path("maps/all.parquet"),
    )
    table = pq.read_table(made.table).to_pydict()
    assert list(table) == ["name", "sha256", "label", "predicted", "probability", "error", "agree", "x", "y"]
    assert table["name"][0] == "circle/circle0.png"
    assert all(len(sha) == 64 for sha in table["sha256"])
    assert sum(table["error"]) == made.wrong
    answers = {p.name: p.top[0] for p in ca.predict("runs/first", ("shapes",))}
    name, share = answers["shapes/circle/circle0.png"]
    assert table["predicted"][0] == name
    assert table["probability"][0] == pytest.approx(share, abs=1e-5)
    data = data_of(made.page)
    assert data["names"] == table["name"]
    assert [data["classes"][i] for i in data["label"]] == table["label"]
    assert data["wrong"] == [int(e) for e in table["error"]]
    assert data["folder"] == "../shapes"
    assert (made.page.parent / data["folder"] / data["names"][0]).is_file()
    x, y = np.array(data["x"]), np.array(data["y"])
    assert np.corrcoef(x, table["x"])[0, 1] > 0.9999
    assert np.corrcoef(y, table["y"])[0, 1] < -0.9999  # y downwards
    assert made.page_bytes == made.page.stat().st_size
    with Image.open(made.picture) as picture:
        assert picture.size[0] == 3200


@pytest.mark.usefixtures("first")
def test_the_same_seed_gives_the_same_files_and_nothing_is_overwritten() -> None:
    made = [ca.map("runs/first", "shapes", fold="all", seed=seed) for seed in (0, 0, 1)]
    assert [m.page.name for m in made] == ["map-first.html", "map-first-2.html", "map-first-3.html"]
    xy = [pq.read_table(m.table).select(["x", "y"]) for m in made]
    assert xy[0].equals(xy[1])
    assert not xy[0].equals(xy[2])
    assert made[0].page.read_text() == made[1].page.read_text()
    assert made[0].picture.read_bytes() == made[1].picture.read_bytes()


@pytest.mark.usefixtures("first")
def test_a_run_maps_its_own_test_fold_and_says_what_it_has_learnt_from() -> None:
    seen = list(ca.map.stream("runs/first", "shapes", method="pca"))
    made = seen[-1].result  # type: ignore[union-attr]
    assert (made.fold, made.pictures < 42) == ("test", True)
    assert not [e for e in seen if isinstance(e, Note)]
    every = list(ca.map.stream("runs/first", "shapes", method="pca", fold="all"))
    (note,) = [e.text for e in every if isinstance(e, Note)]
    assert note.startswith(f"This run has learnt from {42 - made.pictures} of these 42 pictures")
    Path("copies").mkdir()
    for n in range(6):
        Image.new("RGB", (24, 24), (40 * n, 9, 9)).save(f"copies/{n}.png")
    with pytest.raises(BadInput, match=r"copies has no test fold \(no folds\); use --fold all"):
        ca.map("runs/first", "copies", fold="test")


@pytest.mark.usefixtures("first")
def test_any_layer_photos_without_labels_and_other_classes() -> None:
    Path("loose").mkdir()
    for n, file in enumerate(sorted(Path("shapes").rglob("*.png"))[::3]):
        shutil.copy(file, f"loose/{n}.png")
    Path("loose/broken.png").write_bytes(b"not a picture")
    with pytest.raises(
        BadInput, match=r"The test fold of loose has . pictures that can be read, and a map needs at least 5"
    ):
        ca.map("runs/first", "loose")
    made = ca.map("runs/first", "loose", layer="conv1", method="pca", fold="all", out="loose.html")
    assert (made.layer, len(made.shape), made.wrong, made.strangers) == ("conv1", 3, None, ())
    assert made.unreadable[0][0].endswith("broken.png")
    assert made.quality.to_dict()["knn_layer"] is None
    assert "averaged over its places" in made.page.read_text()
    table = pq.read_table(made.table).to_pydict()
    assert table["label"] == table["error"] == table["agree"] == [None] * 14
    seen = list(ca.map.stream("zoo:small-cnn", "shapes", method="pca", out="other.html"))
    notes = [e.text for e in seen if isinstance(e, Note)]
    assert "the map cannot tell right answers from wrong ones" in notes[-1]
    other = seen[-1].result  # type: ignore[union-attr]
    assert other.wrong is None
    assert other.quality.judged == 42
    assert data_of(other.page)["wrong"] is None


@pytest.mark.usefixtures("first")
def test_the_terminal_says_what_the_map_is_worth(cli: Cli) -> None:
    said = cli("map", "runs/first", "shapes", "--fold", "all", "--out", "map.html")
    assert said.code == 0
    flat = " ".join(said.out.split())
    assert flat.startswith("42 photos, laid out by the ")
    assert re.search(r"trustworthiness 0\.\d{3} of 1 at best neighbours kept \d+\.\d % of 10; by chance 24\.4 %", flat)
    assert re.search(r"k-NN on the map \d+\.\d % right \(95 %: ", flat)
    assert re.search(r"Open map\.html \(0\.\d MB, photos included\)", flat)


@pytest.mark.usefixtures("first")
def test_strangers_are_told(cli: Cli) -> None:
    shutil.move("shapes/circle/circle0.png", "shapes/square/circle0.png")
    made = ca.map("runs/first", "shapes", fold="all", layer="relu2", method="pca", out="map.html")
    told = [s for s in made.strangers if s.name == "square/circle0.png"]
    assert [(s.label, s.among) for s in told] == [("square", "circle")]
    shown = cli(
        "map", "runs/first", "shapes", "--fold", "all", "--layer", "relu2", "--method", "pca", "--out", "m.html"
    )
    assert (
        re.search(r"photos? lies? among another class", " ".join(shown.out.split())) or "photos lie among" in shown.out
    )


BAD = [
    ({"layer": "conv7"}, "The network has no layer 'conv7'"),
    ({"out": "map.txt"}, "out must be a file that ends in .html. Got 'map.txt'"),
    ({"method": "som"}, "method must be tsne, umap or pca. Got 'som'"),
    ({"fold": "rest"}, "fold must be auto, all, train, val or test. Got 'rest'"),
    ({"most": 4}, "most must be at least 5. Got 4"),
    ({"perplexity": 0.5}, "perplexity must be at least 1. Got 0.5"),
    ({"neighbours": 1}, "neighbours must be at least 2. Got 1"),
    ({"min_dist": 2.0}, "min-dist must be between 0 and 1. Got 2.0"),
    ({"seed": -1}, "seed must be between 0 and 4294967295. Got -1"),
    ({"threads": 0}, "threads must be at least 1. Got 0"),
    ({"fold": "val", "data": "sample:cat"}, "sample:cat has no val fold"),
    ({"data": "sample:cat"}, "A map must be made of at least 5 pictures that can be read. Got 1"),
]


@pytest.mark.parametrize(("asked", "said"), BAD)
@pytest.mark.usefixtures("first")
def test_bad_input_is_one_sentence(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        ca.map(**{"model": "runs/first", "data": "shapes", **asked})


@pytest.mark.usefixtures("first")
def test_at_most_so_many_photos_are_drawn_evenly() -> None:
    made = ca.map("runs/first", "shapes", fold="all", most=12, method="pca", out="few.html")
    assert made.pictures == 12
    assert len(set(pq.read_table(made.table).to_pydict()["label"])) == 3
