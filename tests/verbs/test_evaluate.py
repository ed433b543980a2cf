"""evaluate: labels are matched by name, what cannot be read is told, and what was learnt from is not called a test."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from shapes import CLASSES, EACH, QUICK, Cli, drawn, plant
from sklearn.metrics import accuracy_score, confusion_matrix

import cutaway as ca
from cutaway.errors import BadInput, BadModel
from cutaway.events import Note


def notes(*asked: str, **more: str) -> list[str]:
    return [event.text for event in ca.evaluate.stream(*asked, **more) if isinstance(event, Note)]


def test_the_numbers_are_those_of_the_predictions(first: Path) -> None:
    """Accuracy and confusion against scikit-learn over what `predict` says, exactly."""
    plant(Path("fresh"), each=8, first=300)
    seen = ca.evaluate(str(first), "fresh").measured
    rows = ca.predict(str(first), ("fresh",), top=1)
    true = [CLASSES.index(row.name.split("/")[1]) for row in rows]
    said = [CLASSES.index(row.top[0][0]) for row in rows]
    assert (seen.fold, seen.n) == ("all", 24)
    assert seen.accuracy == accuracy_score(true, said)
    assert np.array_equal(seen.confusion, confusion_matrix(true, said, labels=[0, 1, 2]))
    assert seen.low < seen.accuracy < seen.high or seen.accuracy in (0, 1)


def test_labels_are_matched_by_name_not_by_place(here: Path) -> None:
    """The model knows circle, cross, square; the data lacks the first, so its own numbers are all shifted by one."""
    plant(here / "three")
    ca.train("three", **{**QUICK, "epochs": 12}, out="runs/first")
    plant(here / "two", each=10, first=300, classes=("cross", "square"))
    seen = ca.evaluate("runs/first", "two").measured
    assert [score.support for score in seen.classes] == [0, 10, 10]
    for name in ("cross", "square"):
        rows = ca.predict("runs/first", (f"two/{name}",), top=1)
        right = sum(row.top[0][0] == name for row in rows)
        assert seen.confusion[CLASSES.index(name)][CLASSES.index(name)] == right


def test_classes_the_model_lacks_are_one_sentence(first: Path, cli: Cli) -> None:
    plant(Path("other"), each=2)
    Path("other/circle").rename("other/triangle")
    said = cli("evaluate", first, "other")
    assert said.code == 2
    assert said.out == ""
    assert said.err == (
        "other has pictures of 'triangle', but the classes of the model are 'circle', 'cross', 'square'; rename the "
        "folders or labels, or train a model on this data.\n"
    )
    assert not list(Path().glob("evaluation-*.html"))


def test_unreadable_pictures_are_left_out_and_told(first: Path) -> None:
    plant(Path("fresh"), each=3, first=300)
    Path("fresh/cross/torn.png").write_bytes(b"no picture at all")
    assert "1 of 10 pictures could not be read and were left out." in notes(str(first), "fresh")
    assert ca.evaluate(str(first), "fresh").measured.n == 9


def test_only_unreadable_pictures_are_one_sentence(first: Path) -> None:
    Path("torn/cross").mkdir(parents=True)
    Path("torn/cross/1.png").write_bytes(b"no picture at all")
    with pytest.raises(BadInput, match="Not even the one picture of torn can be read; nothing was measured"):
        ca.evaluate(str(first), "torn")


def test_photos_a_run_was_trained_on_are_measured_on_its_own_test_fold(first: Path) -> None:
    """The trap: 42 pictures, 30 of them learnt; measuring all of them would be called an accuracy."""
    trained = ca.report(str(first)).report
    assert trained is not None
    assert trained.test is not None
    got = ca.evaluate(str(first), "shapes")
    assert got.measured.fold == "test"
    assert (got.measured.n, got.measured.correct) == (trained.test.n, trained.test.correct)
    assert got.looks == trained.looks + 1
    (told,) = notes(str(first), "shapes")
    assert told.startswith(f"This run was trained on {3 * EACH - trained.test.n} of these 42 pictures: measured are")


def test_all_can_be_asked_for_and_is_called_flattering(first: Path) -> None:
    got = ca.evaluate(str(first), "shapes", fold="all")
    assert (got.measured.n, got.looks) == (3 * EACH, 0)
    (told,) = notes(str(first), "shapes", fold="all")
    assert told.endswith("so the result flatters it.")
    assert notes(str(first), "shapes", fold="train") == []


def test_moved_and_renamed_photos_are_still_known(first: Path) -> None:
    shutil.copytree("shapes", "elsewhere")
    for number, file in enumerate(sorted(Path("elsewhere").rglob("*.png"))):
        file.rename(file.with_name(f"renamed{number}.png"))
    assert ca.evaluate(str(first), "elsewhere").measured.fold == "test"


def test_fresh_photos_have_no_folds_and_are_all_measured(first: Path) -> None:
    plant(Path("fresh"), each=2, first=300)
    assert ca.evaluate(str(first), "fresh").measured.fold == "all"
    assert notes(str(first), "fresh") == []
    with pytest.raises(BadInput, match=r"fresh has no test fold \(no folds\); use --fold all"):
        ca.evaluate(str(first), "fresh", fold="test")


def test_given_folds_are_taken(first: Path) -> None:
    plant(Path("folds/train"), each=2, first=300)
    plant(Path("folds/test"), each=3, first=400)
    assert ca.evaluate(str(first), "folds").measured.n == 9
    assert ca.evaluate(str(first), "folds", fold="train").measured.n == 6
    assert ca.evaluate(str(first), "folds", fold="all").measured.n == 15
    with pytest.raises(BadInput, match=r"folds has no val fold \(test, train\); use --fold all"):
        ca.evaluate(str(first), "folds", fold="val")


def test_a_model_file_far_from_its_run_can_be_measured(first: Path) -> None:
    shutil.copy(first / "model.safetensors", "alone.safetensors")
    shutil.rmtree("runs")
    plant(Path("fresh"), each=2, first=300)
    got = ca.evaluate("alone.safetensors", "fresh")
    assert got.measured.n == 6
    assert Path(got.page).read_text().count("<html") == 1


def test_the_page_goes_where_it_is_asked_to(first: Path) -> None:
    assert ca.evaluate(str(first), "shapes", out="pages/a.html").page == "pages/a.html"
    assert "accuracy" in Path("pages/a.html").read_text().lower()
    assert ca.evaluate(str(first), "shapes/").page == "evaluation-shapes.html"


def test_bad_questions(first: Path) -> None:
    with pytest.raises(BadInput, match=r"fold must be auto, all, train, val or test\. Got 'tests'\."):
        ca.evaluate(str(first), "shapes", fold="tests")
    Path("pages").mkdir()
    with pytest.raises(BadInput, match="The page cannot be written to pages, which is a folder; give a file such as"):
        ca.evaluate(str(first), "shapes", out="pages")
    Path("file").touch()
    with pytest.raises(BadInput, match=r"Results cannot go to file: .*file is a file, not a folder; choose another"):
        ca.evaluate(str(first), "shapes", out="file/a.html")
    with pytest.raises(BadInput, match="nothing is no file or folder"):
        ca.evaluate(str(first), "nothing")
    with pytest.raises(BadModel, match=r"There is no .*nothing\.safetensors"):
        ca.evaluate("nothing.safetensors", "shapes")


def test_one_picture_is_enough(first: Path) -> None:
    Path("one/square").mkdir(parents=True)
    drawn("square", 900).save("one/square/1.png")
    got = ca.evaluate(str(first), "one").measured
    assert (got.n, got.low < got.high) == (1, True)
