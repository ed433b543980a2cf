"""What was found is kept under a name that changes with everything the checks read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cutaway.dataset import Dataset, Sample, known
from cutaway.dataset.arrays import ArrayStore
from cutaway.dataset.duplicates import Duplicate
from cutaway.dataset.known import Known, key_of, recall, remember
from cutaway.dataset.pixels import PixelSet
from cutaway.errors import BadPicture
from cutaway.reports import Finding

FOUND = Known(
    (Duplicate(0, 2, "near", "mirrored", 0.98765432101), Duplicate(1, 3, "exact", "identical file", 1.0)),
    (Finding("leak", "warn", "One picture in two folds.", ("a\udce9.png",), (("a", "b"),), {"pictures": 1.0}),),
)
SAMPLES = (Sample("a\udce9.png", 0, "train", 0), Sample("b", 1, None, 1), Sample("c", None, None, 2))
PICTURES = PixelSet(
    file=Path("1-abc.rgb"),
    size=(4, 4),
    place=np.array([1, -1, 0]),
    names=tuple(s.name for s in SAMPLES),
    sha256s=("x", None, "y"),
    stored_sizes=np.array([[4, 4], [0, 0], [5, 4]], np.int32),
    notes=((), (), ("alpha",)),
    failures=(BadPicture("b", "empty", "0 bytes"),),
)


def dataset(**changes: Any) -> Dataset:
    store = ArrayStore(np.zeros((3, 4, 4, 3), np.uint8))
    return dataclasses.replace(Dataset("photos", ("k", "l"), SAMPLES, store), **changes)


def sample(**changes: Any) -> Dataset:
    return dataset(samples=(dataclasses.replace(SAMPLES[0], **changes), *SAMPLES[1:]))


def test_what_was_found_comes_back_the_same(tmp_path: Path) -> None:
    remember(tmp_path, "key", FOUND)

    assert recall(tmp_path, "key") == FOUND
    assert recall(tmp_path, "other") is None


@pytest.mark.parametrize("damage", ["", "{}", '{"copies": [', '{"copies": 3, "findings": []}', "\x00" * 9])
def test_a_damaged_file_counts_as_none(damage: str, tmp_path: Path) -> None:
    remember(tmp_path, "key", FOUND)
    (tmp_path / "checks/key.json").write_text(damage)

    assert recall(tmp_path, "key") is None


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "checks").write_text("a file where the folder should be")

    remember(tmp_path, "key", FOUND)

    assert recall(tmp_path, "key") is None


@pytest.mark.parametrize(
    ("data", "pictures", "rest"),
    [
        (sample(name="z"), {}, ()),
        (sample(label=1), {}, ()),
        (sample(fold="val"), {}, ()),
        (dataset(classes=("k", "m")), {}, ()),
        (dataset(skipped=(("x.txt", "no picture"),)), {}, ()),
        (dataset(), {"sha256s": ("z", None, "y")}, ()),
        (dataset(), {"stored_sizes": np.array([[4, 4], [0, 0], [5, 5]], np.int32)}, ()),
        (dataset(), {"notes": ((), (), ())}, ()),
        (dataset(), {"failures": (BadPicture("b", "corrupt", "0 bytes"),)}, ()),
        (dataset(), {"size": (4, 8)}, ()),
        (dataset(), {"file": Path("1-abd.rgb")}, ()),
        (dataset(), {}, (np.zeros((3, 2), np.float32), 0)),
        (dataset(), {}, (None, 1)),
    ],
)
def test_every_change_has_another_name(data: Dataset, pictures: dict[str, Any], rest: tuple[Any, ...]) -> None:
    asked = rest or (None, 0)

    assert key_of(data, dataclasses.replace(PICTURES, **pictures), *asked) != key_of(dataset(), PICTURES, None, 0)


def test_the_same_has_the_same_name_until_the_checks_change(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of(dataset(), PICTURES, None, 0)

    assert key_of(dataset(root="moved/photos"), PICTURES, None, 0) == before
    monkeypatch.setattr(known, "_checks", lambda: "other rules")
    assert key_of(dataset(), PICTURES, None, 0) != before
