"""labels.txt beside a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from cutaway.errors import BadModel
from cutaway.formats.labels import class_names, parse_labels


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0 Cat\n1 Dog\n", ("Cat", "Dog")),
        ("0 Class 1\r\n1 Class 2\r\n\r\n", ("Class 1", "Class 2")),
        ("1 second\n0 first", ("first", "second")),
        ("0 가위\n1 바위 \n", ("가위", "바위")),
        ("cat\ndog", ("cat", "dog")),
        ("1 Cat\n2 Dog", ("1 Cat", "2 Dog")),
        ("0 Cat\n0 Dog", ("0 Cat", "0 Dog")),
        ("", ()),
    ],
)
def test_lines_become_names(text: str, names: tuple[str, ...]) -> None:
    assert parse_labels(text) == names


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (None, "does not name its classes"),
        (b"0 Cat\n", "names 1 classes; the network has 2"),
        (b"\xff\xfe", "could not be read"),
        (b"x" * 1_000_001, "more than 1,000,000 bytes"),
    ],
)
def test_what_does_not_fit_is_noted(tmp_path: Path, content: bytes | None, note: str) -> None:
    if content is not None:
        (tmp_path / "labels.txt").write_bytes(content)
    names, (said,) = class_names(tmp_path / "m.h5", 2)
    assert names == ("class 0", "class 1")
    assert note in said


def test_a_byte_order_mark_is_not_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbf0 Cat\n1 Dog\n\n")
    assert class_names(tmp_path / "m.h5", 2) == (("Cat", "Dog"), [])


def test_a_link_finds_the_names_beside_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "labels.txt").write_text("0 Cat\n1 Dog\n", encoding="utf-8")
    (tmp_path / "there" / "m.h5").touch()
    (tmp_path / "link.h5").symlink_to(tmp_path / "there" / "m.h5")
    assert class_names(tmp_path / "link.h5", 2) == (("Cat", "Dog"), [])


def test_no_names_are_made_for_what_no_network_has(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"m\.pt2 claims 2,147,483,648 outputs; at most 1,000,000 classes are accepted"):
        class_names(tmp_path / "m.pt2", 2**31)
