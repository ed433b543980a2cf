"""predict: photos, folders, archives and samples in; classes with probabilities, or the reason why not, out."""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from shapes import CLASSES, EACH, Cli, drawn

import cutaway as ca
from cutaway.errors import BadInput, BadModel
from cutaway.model import Model


def test_photo_folder_archive_and_sample_in_their_order(first: Path) -> None:
    with zipfile.ZipFile("more.zip", "w") as file:
        file.write("shapes/square/square0.png", "a/b.png")
    got = ca.predict(str(first), ("shapes/cross/cross1.png", "shapes/circle", "more.zip", "sample:cat"))
    names = [row.name for row in got]
    assert names[0] == "shapes/cross/cross1.png"
    assert names[1 : 1 + EACH] == [f"shapes/circle/circle{i}.png" for i in range(EACH)], "in natural order"
    assert names[1 + EACH :] == ["more.zip/a/b.png", "sample:cat"]
    for row in got:
        assert row.error == ""
        assert len(row.top) == 3
        assert [p for _, p in row.top] == sorted((p for _, p in row.top), reverse=True)
        assert sum(p for _, p in row.top) == pytest.approx(1, abs=1e-5)


def test_answers_are_the_models_own(first: Path) -> None:
    """One picture by hand: read, fitted and answered by the Model alone, to 1e-6."""
    got = dict(ca.predict(str(first), ("shapes/cross/cross1.png",), top=3)[0].top)
    model = ca.open_model(first)
    picture = ca.read_image("shapes/cross/cross1.png")
    expected = np.asarray(model.predict([picture]))[0]
    assert [got[name] for name in model.classes] == pytest.approx(expected.tolist(), abs=1e-6)


def test_many_pictures_are_answered_as_one_by_one(first: Path) -> None:
    """More than a batch: the answers do not depend on the company a picture comes in, to 1e-5."""
    together = ca.predict(str(first), ("shapes",), top=3)
    assert len(together) == 3 * EACH
    for row in together[::10]:
        alone = ca.predict(str(first), (row.name,), top=3)[0]
        assert dict(alone.top) == pytest.approx(dict(row.top), abs=1e-5)


@pytest.mark.parametrize("typed", ["runs/first", "runs/first/", "first", "last", "runs/first/model.safetensors"])
def test_a_model_can_be_named_in_many_ways(typed: str, first: Path) -> None:
    del first
    assert len(ca.predict(typed, ("sample:cat",))[0].top) == 3


def test_top_larger_than_the_classes_gives_them_all(first: Path) -> None:
    assert {name for name, _ in ca.predict(str(first), ("sample:cat",), top=50)[0].top} == set(CLASSES)


def test_a_broken_picture_is_one_row_with_its_reason(first: Path, cli: Cli) -> None:
    Path("mixed").mkdir()
    shutil.copy("shapes/cross/cross1.png", "mixed/1.png")
    Path("mixed/2.png").write_bytes(b"no picture at all")
    shutil.copy("shapes/cross/cross2.png", "mixed/3.png")
    said = cli("predict", first, "mixed", "--json")
    assert said.code == 0
    assert [row["name"] for row in said.json] == ["mixed/1.png", "mixed/2.png", "mixed/3.png"]
    assert [len(row["top"]) for row in said.json] == [3, 0, 3]
    assert ["error" in row for row in said.json] == [False, True, False]
    assert said.json[1]["error"].startswith("not-an-image: ")
    shown = cli("predict", first, "mixed")
    assert shown.code == 0
    assert "not-an-image" in shown.out


def test_only_broken_pictures_still_end_well(first: Path, cli: Cli) -> None:
    Path("empty.png").touch()
    said = cli("predict", first, "empty.png", "--json")
    assert (said.code, said.json[0]["top"]) == (0, [])
    assert said.json[0]["error"].startswith("empty: ")


def test_csv_has_a_header_and_one_line_per_picture(first: Path, cli: Cli) -> None:
    Path("a, b.png").write_bytes(Path("shapes/cross/cross1.png").read_bytes())
    Path("torn.png").write_bytes(b"no picture at all")
    said = cli("predict", first, "a, b.png", "torn.png", "--top", "2", "--csv")
    assert (said.code, said.err) == (0, "")
    rows = list(csv.reader(io.StringIO(said.out)))
    assert rows[0] == ["picture", "class_1", "probability_1", "class_2", "probability_2", "error"]
    assert rows[1][0] == "a, b.png"
    assert rows[1][1] in CLASSES
    assert 0 < float(rows[1][2]) <= 1
    assert rows[2][:5] == ["torn.png", "", "", "", ""]
    assert rows[2][5].startswith("not-an-image")


def test_csv_of_only_broken_pictures_keeps_its_columns(first: Path, cli: Cli) -> None:
    Path("torn.png").write_bytes(b"no picture at all")
    rows = list(csv.reader(io.StringIO(cli("predict", first, "torn.png", "--csv").out)))
    assert rows[0] == ["picture", "error"]
    assert len(rows) == 2


def test_names_that_no_terminal_can_show_are_printed_all_the_same(first: Path, cli: Cli) -> None:
    Path("odd").mkdir()
    drawn("cross", 3).save("odd/\udcff [bold].png", "PNG")
    for more in ((), ("--json",), ("--csv",)):
        said = cli("predict", first, "odd", *more)
        assert said.code == 0
        assert "[bold].png" in said.out, "brackets are no markup"


def test_bad_questions(first: Path) -> None:
    with pytest.raises(BadInput, match=r"top must be at least 1\. Got 0\."):
        ca.predict(str(first), ("sample:cat",), top=0)
    with pytest.raises(BadInput, match="Name at least one photo, folder or sample:NAME to predict"):
        ca.predict(str(first), ())
    with pytest.raises(BadInput, match=r"nothing\.png is no file or folder"):
        ca.predict(str(first), ("nothing.png",))
    with pytest.raises(BadInput, match="There is no run 'second'; runs here: first"):
        ca.predict("second", ("sample:cat",))
    with pytest.raises(BadModel, match=r"second\.h5"):
        ca.predict("second.h5", ("sample:cat",))


def test_a_model_without_class_names_is_told_so(first: Path) -> None:
    import dataclasses

    nameless: Model = dataclasses.replace(ca.open_model(first), classes=())
    ca.save_model(nameless, "nameless.safetensors")
    with pytest.raises(BadInput, match=r"nameless\.safetensors has no class names, so its answers would be bare"):
        ca.predict("nameless.safetensors", ("sample:cat",))
