"""check: names what is wrong, writes a list and a page, touches no picture."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from shapes import EACH, drawn

import cutaway as ca
from cutaway.errors import BadInput, BadModel
from cutaway.events import Found


def spoilt(root: Path) -> Path:
    """One torn file, one copy in its class, one copy in another class, one black picture."""
    (root / "cross/torn.png").write_bytes((root / "cross/cross1.png").read_bytes()[:200])
    shutil.copy(root / "circle/circle1.png", root / "circle/copy.png")
    shutil.copy(root / "circle/circle2.png", root / "square/two labels.png")
    picture = drawn("square", 1)
    picture.paste((0, 0, 0), (0, 0, *picture.size))
    picture.save(root / "square/black.png")
    return root


def test_every_fault_is_found_named_listed_and_shown(shapes: Path) -> None:
    result = ca.check(str(spoilt(shapes)))
    found = {f.kind: f for f in result.findings}
    assert {"unreadable", "exact-duplicate", "duplicate-across-labels", "near-constant"} <= set(found)
    assert found["unreadable"].names == ("cross/torn.png",)
    assert "square/black.png" in found["near-constant"].names
    assert (result.pictures, result.classes) == (3 * EACH + 4, ("circle", "cross", "square"))
    assert result.counts == {"all": {"circle": EACH + 1, "cross": EACH + 1, "square": EACH + 2}}
    with Path(result.quarantine).open() as file:
        listed = {row["name"]: row for row in csv.DictReader(file)}
    assert listed["cross/torn.png"]["action"] == "exclude"
    assert listed["square/two labels.png"]["kind"] == "duplicate-across-labels"
    page = Path(result.page).read_text()
    assert "square/black.png" in page
    assert 'src="http' not in page


def test_no_picture_is_touched(shapes: Path) -> None:
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in spoilt(shapes).rglob("*") if p.is_file()}
    ca.check(str(shapes))
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in shapes.rglob("*") if p.is_file()} == before


def test_unchanged_pictures_are_not_looked_over_again(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ca.check(str(spoilt(shapes)))
    for work in ("finding_duplicates", "classical_features", "checking"):
        monkeypatch.setattr(f"cutaway.verbs.look_over.{work}", lambda *_: pytest.fail("looked over again"))

    assert ca.check(str(shapes)) == one
    with pytest.raises(pytest.fail.Exception, match="looked over again"):
        ca.check(str(shapes), seed=1)


def test_findings_come_as_events_too(shapes: Path) -> None:
    seen = list(ca.check.stream(str(spoilt(shapes))))
    told = [(e.kind, e.text) for e in seen if isinstance(e, Found)]
    assert told == [(f.kind, f.text) for f in seen[-1].result.findings]  # type: ignore[union-attr]


def test_results_go_beside_or_where_they_are_asked_to(shapes: Path) -> None:
    assert ca.check(str(shapes)).page == "check-shapes/check.html"
    assert ca.check(f"{shapes}/", out="there/deep").quarantine == "there/deep/quarantine.csv"


def test_a_backbone_can_judge_labels(first: Path) -> None:
    result = ca.check("shapes", backbone=str(first))
    assert result.pictures == 3 * EACH


def test_copies_across_given_folds_are_a_leak(shapes: Path) -> None:
    shutil.move(shapes, "folds/train")
    for kind in ("circle", "cross", "square"):
        (Path("folds/test") / kind).mkdir(parents=True)
        shutil.copy(f"folds/train/{kind}/{kind}1.png", f"folds/test/{kind}/a.png")
    found = {f.kind: f for f in ca.check("folds").findings}
    assert len(found["leak"].pairs) == 3


def test_bad_questions(shapes: Path) -> None:
    Path("file").touch()
    with pytest.raises(BadInput, match=r"Results cannot go to file: .*file is a file, not a folder; choose another"):
        ca.check(str(shapes), out="file")
    with pytest.raises(BadInput, match="nothing is no file or folder"):
        ca.check("nothing")
    with pytest.raises(BadInput, match=r"There is no model file nothing\.h5"):
        ca.check(str(shapes), backbone="nothing.h5")
    Path("torn.safetensors").write_bytes(b"torn")
    with pytest.raises(BadModel, match=r"torn\.safetensors"):
        ca.check(str(shapes), backbone="torn.safetensors")
    assert not Path("check-shapes").exists()
