from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cutaway.dataset.samples import Dataset
from cutaway.dataset.scan import open_dataset
from cutaway.errors import BadInput

Plant = Callable[..., Path]


@pytest.fixture
def table(tmp_path: Path, plant: Plant) -> Callable[[str], Dataset]:
    plant(tmp_path, "img/1.png", "img/2.png", "3.png")

    def opened(text: str) -> Dataset:
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        return open_dataset(tmp_path / "t.csv")

    return opened


def test_paths_count_from_the_tables_own_folder(table: Callable[[str], Dataset], tmp_path: Path) -> None:
    data = table(f"path,label,split\nimg/1.png,b,train\nimg/../img/2.png,a,test\n{tmp_path}/3.png,b,\n")
    assert data.classes == ("a", "b")
    assert [(s.name, s.label, s.fold) for s in data.samples] == [
        ("img/1.png", 1, "train"),
        ("img/2.png", 0, "test"),
        (f"{tmp_path}/3.png", 1, None),
    ]
    assert data.read(2).pixels.shape == (6, 8, 3)


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_separators_a_byte_order_mark_and_empty_lines(table: Callable[[str], Dataset], mark: str) -> None:
    data = table(f"\ufefffilename{mark}class\n\nimg\\1.png{mark}10\n3.png{mark}9\n".replace("\\", "\\"))
    assert (data.classes, [s.at for s in data.samples]) == (("9", "10"), ["img/1.png", "3.png"])


def test_quoted_cells_may_hold_the_separator_and_line_breaks(table: Callable[[str], Dataset]) -> None:
    assert table('path,label\nimg/1.png,"a,\nb"\n3.png,c\n').classes == ("a,\nb", "c")


def test_a_picture_listed_twice_counts_once(table: Callable[[str], Dataset]) -> None:
    data = table("path,label\n3.png,a\nimg/1.png,b\n./3.png,a\n")
    assert (len(data), data.skipped) == (2, (("./3.png", "listed twice"),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"t\.csv is empty; wanted is a header"),
        ("path,label\n", r"t\.csv has a header but no rows"),
        ("path,split\n3.png,train\n", r"t\.csv has no column of labels: found 'path', 'split'; name it 'label'"),
        ("path,w,h\n3.png,1,2\n", r"t\.csv has no column of labels: found 'path', 'w', 'h'"),
        ("path,label\n3.png,a\nimg/1.png\nimg/2.png,\n", r"has 2 rows without a label in column 'label' \(.*line 3\)"),
        ("path,label\n,a\n3.png,b\n", r"has 1 row without a path in column 'path' \(the first: line 2\); fill them in"),
        (
            "path,label\nx.png,a\ny.png,b\n",
            r"None of the 2 pictures that .*t\.csv names is there \(the first: .*x\.png\)",
        ),
        ("path,label\n3.png,a\n3.png,b\n", r"gives 3\.png two labels, 'a' and 'b'; keep one row"),
        (
            "path,label,split\n3.png,a,train\n3.png,a,test\n",
            r"puts 3\.png into two folds, train and test; keep one row",
        ),
        ("path,label,split\n3.png,a,holdout\n", r"has 'holdout' in column 'split', which is not a fold name"),
        ('path,label\n3.png,"a\n', r"t\.csv cannot be read as a CSV table \(unexpected end of data\)"),
    ],
)
def test_bad_tables_are_told_in_one_sentence(table: Callable[[str], Dataset], text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        table(text)


def test_bytes_that_are_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"path,label\n\xff\xfe,a\n")
    with pytest.raises(BadInput, match=r"t\.csv is not UTF-8 text \(byte 11\); save the table as UTF-8 CSV"):
        open_dataset(path)

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(BadInput, match=r"t\.csv cannot be read \(Permission denied\)"):
        open_dataset(path)
