"""The picture that a run is shown with."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from shapes import Cli

from cutaway.verbs.example import example_picture


def run(folder: Path, data: str, cells: dict[str, list[str]], **report: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"options": {"data": data}}))
    document = {"classes": ["a", "b"], "test": {"cells": cells}, **report}
    (folder / "report.json").write_text(json.dumps(document))
    return folder


def test_it_is_one_that_was_answered_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = run(tmp_path / "run", "digits", {"0,1": ["digits[1]"], "1,1": ["digits[7]", "digits[30]"]})
    assert example_picture(made) == "digits:30"
    (tmp_path / "photos" / "a").mkdir(parents=True)
    (tmp_path / "photos" / "a" / "1.jpg").write_bytes(b"x")
    assert example_picture(run(made, "photos", {"0,0": ["a/2.jpg", "a/1.jpg"]})) == str(Path("photos", "a", "1.jpg"))
    made = run(made, "digits", {}, test=None, val={"cells": {"0,0": ["digits[5]"]}})
    assert example_picture(made) == "digits:5"


@pytest.mark.parametrize(
    ("data", "cells"),
    [
        ("cifar10", {"0,0": ["test[3]"]}),
        ("pets.zip", {"0,0": ["a/1.jpg"]}),
        ("digits", {"0,1": ["digits[1]"]}),
        ("digits", {}),
    ],
)
def test_there_is_none_where_it_has_no_address_of_its_own(
    tmp_path: Path, data: str, cells: dict[str, list[str]]
) -> None:
    assert example_picture(run(tmp_path / "run", data, cells)) == ""


def test_there_is_none_before_the_report(tmp_path: Path) -> None:
    assert example_picture(tmp_path) == ""
    (tmp_path / "report.json").write_text("{oops")
    (tmp_path / "config.json").write_text("[]")
    assert example_picture(tmp_path) == ""


def test_a_trained_run_names_a_picture_that_predict_takes(first: Path) -> None:
    from cutaway.dataset.loose import open_pictures

    picture = example_picture(first)
    assert len(open_pictures((picture,))) == 1


def test_a_report_ends_with_the_command_that_shows_it_at_work(first: Path, cli: Cli) -> None:
    last = cli("report", first).out.strip().splitlines()[-1]
    assert last == f"See it at work: cutaway studio {first} --picture {shlex.quote(example_picture(first))}"
