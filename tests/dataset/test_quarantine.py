"""The list a person edits: what goes in, what comes back, whatever the names."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.dataset.quarantine import quarantined, read_quarantine, write_quarantine
from cutaway.errors import BadInput
from cutaway.reports import Finding

BROKEN = Finding("unreadable", "warn", "", ("a.jpg",))
COPY = Finding("exact-duplicate", "warn", "", ("c.jpg",), (("b.jpg", "c.jpg"),))
DOUBT = Finding("label-error", "warn", "", ("d.jpg", "c.jpg"), (("d.jpg", "cats"), ("c.jpg", "dogs")))
NEAR = Finding("near-duplicate", "warn", "", ("e.jpg",), (("b.jpg", "e.jpg"),))


def test_severe_kinds_are_left_out_and_doubts_are_for_review(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.csv"

    write_quarantine(path, [BROKEN, COPY, DOUBT, NEAR])

    with path.open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert {name: row["action"] for name, row in rows.items()} == {
        "a.jpg": "exclude",
        "c.jpg": "exclude",
        "d.jpg": "review",
    }
    assert rows["c.jpg"]["suggestion"] == "kept instead: b.jpg"
    assert rows["d.jpg"]["suggestion"] == "looks like cats"
    assert read_quarantine(path) == {"a.jpg", "c.jpg"}


def test_a_reason_to_leave_out_wins_over_a_doubt() -> None:
    assert [q.action for q in quarantined([DOUBT, COPY]) if q.name == "c.jpg"] == ["exclude"]


def test_a_deleted_line_keeps_its_picture(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.csv"
    write_quarantine(path, [BROKEN, COPY])
    lines = path.read_text().splitlines(keepends=True)

    path.write_text("".join(line for line in lines if not line.startswith("a.jpg")))

    assert read_quarantine(path) == {"c.jpg"}


def test_nothing_found_still_writes_a_list(tmp_path: Path) -> None:
    write_quarantine(tmp_path / "q.csv", [])

    assert read_quarantine(tmp_path / "q.csv") == set()
    assert [f.name for f in tmp_path.iterdir()] == ["q.csv"]


@given(st.sets(st.text(st.characters(exclude_characters="\0"), min_size=1)))
def test_any_name_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, names: set[str]) -> None:
    path = tmp_path_factory.mktemp("q") / "q.csv"
    writable = {n for n in names if not any(0xD800 <= ord(c) < 0xDC80 or 0xDCFF < ord(c) < 0xE000 for c in n)}
    writable = {n.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") for n in writable}

    write_quarantine(path, [Finding("unreadable", "warn", "", tuple(sorted(writable)))])

    assert read_quarantine(path) == writable


def test_names_that_are_not_utf_8_survive(tmp_path: Path) -> None:
    name = b'caf\xe9,\n"1".jpg'.decode("utf-8", "surrogateescape")

    write_quarantine(tmp_path / "q.csv", [Finding("unreadable", "warn", "", (name,))])

    assert read_quarantine(tmp_path / "q.csv") == {name}


@pytest.mark.parametrize(
    "text", ["\ufeffname;action\na.jpg;exclude\nb.jpg;review\n", "name\na.jpg\n", "kind\tname\nx\ta.jpg\n"]
)
def test_lists_saved_by_spreadsheets_or_typed_by_hand(tmp_path: Path, text: str) -> None:
    (tmp_path / "q.csv").write_text(text, encoding="utf-8")

    assert read_quarantine(tmp_path / "q.csv") == {"a.jpg"}


def test_a_missing_list_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere.csv cannot be read: No such file"):
        read_quarantine(tmp_path / "nowhere.csv")


def test_a_list_without_names_is_told(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("picture,why\na.jpg,bad\n")

    with pytest.raises(BadInput, match="needs a column 'name'"):
        read_quarantine(tmp_path / "q.csv")


def test_a_list_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot be written to .*No such file"):
        write_quarantine(tmp_path / "no" / "q.csv", [])
