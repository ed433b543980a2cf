"""The run folder: names, JSON that survives, one sentence for what is no run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cutaway.errors import BadInput, BadModel
from cutaway.training.run_folder import RunFolder, find_run, new_run


def test_files_have_their_names(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "runs" / "a")
    names = {run.config, run.data, run.model, run.report, run.numbers, run.quarantine}
    assert {p.name for p in names} == {
        *("config.json", "data.json", "model.safetensors", "report.html", "report.json", "quarantine.csv")
    }
    assert run.checkpoint("head") == run.path / "checkpoints" / "head.pt"
    assert run.ledger == tmp_path / "runs" / "test-looks.jsonl"


def test_json_comes_back_names_that_are_no_text_included(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "a")
    run.make()
    document = {"source": os.fsdecode(b"caf\xe9"), "ключ": [1, 2.5, None]}
    run.write_json(run.config, document)
    assert run.read_json(run.config) == document
    assert run.config.read_bytes().endswith(b"}\n")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"The folder .*file.a cannot be made \(Not a directory\); choose another --out"):
        RunFolder(tmp_path / "file" / "a").make()


@pytest.mark.parametrize(("content", "said"), [("{", "is damaged"), ("[1]", "is damaged: it holds no table of values")])
def test_damaged_json_is_told(tmp_path: Path, content: str, said: str) -> None:
    run = RunFolder(tmp_path)
    run.config.write_text(content)
    with pytest.raises(BadModel, match=f"config.json {said}"):
        run.read_json(run.config)


def test_a_folder_without_a_config_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"is no run of Cutaway: it has no config\.json"):
        RunFolder(tmp_path).read_json(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("data", "stem"),
    [("photos/", "photos"), ("a/my cats.zip", "my-cats"), ("t.csv", "t"), ("digits", "digits"), ("/", "photos")],
)
def test_runs_are_named_after_the_data_and_numbered(tmp_path: Path, data: str, stem: str) -> None:
    assert new_run(data, None, tmp_path).path == tmp_path / f"{stem}-1"
    (tmp_path / f"{stem}-1").mkdir()
    assert new_run(data, None, tmp_path).path == tmp_path / f"{stem}-2"


def test_out_is_taken_unless_it_holds_a_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert new_run("digits", str(out)).path == out
    out.mkdir()
    (out / "config.json").write_text("{}")
    with pytest.raises(BadInput, match="already holds a run; choose another --out, or continue it: cutaway resume"):
        new_run("digits", str(out))


def test_a_run_is_found_by_path_by_name_and_as_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="There is no run 'last'; runs here: none yet"):
        find_run("last")
    for second, name in enumerate(("b-1", "a-1")):
        config = tmp_path / "runs" / name / "config.json"
        config.parent.mkdir(parents=True)
        config.write_text("{}")
        os.utime(config, (second + 1, second + 1))
    assert find_run("last").path == Path("runs/a-1")
    assert find_run("b-1").path == Path("runs/b-1")
    assert find_run(str(tmp_path / "runs" / "b-1")).path == tmp_path / "runs" / "b-1"
    with pytest.raises(BadInput, match="There is no run 'c-1'; runs here: b-1, a-1"):
        find_run("c-1")
