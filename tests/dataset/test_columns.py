from __future__ import annotations

import pytest

from cutaway.dataset.columns import Columns, choose, folds, indexed, label_names
from cutaway.errors import BadInput


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (["path", "label"], Columns("path", "label", None)),
        (["Label", "File Name", "Split"], Columns("File Name", "Label", "Split")),
        (["id", "image-path", "category", "fold"], Columns("image-path", "category", "fold")),
        (["filename", "flower"], Columns("filename", "flower", None)),  # of two columns the other is the label
        (["image", "class", "width"], Columns("image", "class", None)),
    ],
)
def test_columns_are_found_by_their_common_names(header: list[str], wanted: Columns) -> None:
    assert choose("t.csv", header) == wanted


def test_a_missing_column_is_told_with_the_names_found() -> None:
    with pytest.raises(BadInput, match=r"t\.csv has no column of labels: found 'path', 'w', 'h'; name it 'label'"):
        choose("t.csv", ["path", "w", "h"])
    for other in ("split", "Image ID"):  # of two columns, but its name says that it holds no label
        with pytest.raises(BadInput, match=r"t\.csv has no column of labels: found 'path', '"):
            choose("t.csv", ["path", other])
    with pytest.raises(BadInput, match=r"no column of picture paths: found 'label', 'pth'; .* Did you mean path\?"):
        choose("t.csv", ["label", "pth"])


def test_cells_become_class_names() -> None:
    places = ["line 2", "line 3", "line 4", "line 5"]
    assert label_names("t", "y", [1, 2.0, " cat ", False], places) == ["1", "2", "cat", "False"]
    with pytest.raises(BadInput, match=r"t has 2 rows without a label in column 'y' \(the first: line 3\)"):
        label_names("t", "y", ["a", " ", float("nan"), "b"], places)


def test_classes_are_in_natural_order() -> None:
    assert indexed(["10", "2", "10"]) == (("2", "10"), [1, 0, 1])


def test_fold_words_and_blanks() -> None:
    assert folds("t", "split", ["train", "VALID", "test", "", None]) == ["train", "val", "test", None, None]
    with pytest.raises(BadInput, match="t has '0', '1' in column 'fold', which is not a fold name; wanted are train"):
        folds("t", "fold", [0, 1, 1])
