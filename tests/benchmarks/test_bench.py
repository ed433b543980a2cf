"""The runner: lists, tables, result files, what happens when a benchmark lacks something, fails or is stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as runner
from benchmarks import bench
from benchmarks.bench import Missing, Outcome, Settings
from benchmarks.processes import Failed

OUTCOME = Outcome(
    [{"what": "ours", "seconds": 1.23456, "n": 2000}, {"what": "ratio", "met": True}], {"python": "3"}, "Note."
)


def fake(monkeypatch: pytest.MonkeyPatch, result: Outcome | BaseException) -> list[Settings]:
    """Puts `result` in the place of every benchmark; the list fills with the settings they were called with."""
    seen: list[Settings] = []

    class Module:
        @staticmethod
        def measure(settings: Settings) -> Outcome:
            seen.append(settings)
            if isinstance(result, BaseException):
                raise result
            return result

    monkeypatch.setattr(runner.importlib, "import_module", lambda _: Module)
    return seen


def test_every_benchmark_has_a_file_with_a_sentence_and_the_other_files_are_shared(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert runner.main([]) == 0
    listed = capsys.readouterr().out
    files = {p.stem for p in (bench.ROOT / "benchmarks").glob("*.py")}
    assert files - {"__init__", "__main__", "bench", "headlines", "processes", "peer_python"} == set(runner.NAMES)
    for name in runner.NAMES:
        assert runner.sentence(name) in listed


def test_readme_tells_of_every_benchmark() -> None:
    text = (bench.ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in runner.NAMES)


def test_a_result_is_printed_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = fake(monkeypatch, OUTCOME)
    assert runner.main(["startup", "--repeats", "5", "--data", str(tmp_path), "--out", str(tmp_path / "results")]) == 0
    assert seen == [Settings(tmp_path, 5, False)]
    kept = json.loads((tmp_path / "results" / "startup.json").read_text(encoding="utf-8"))
    assert kept["rows"] == OUTCOME.rows
    assert kept["versions"] == OUTCOME.versions
    assert (kept["name"], kept["note"]) == ("startup", "Note.")
    assert kept["machine"].startswith(f"{bench.processors()} x ")
    assert kept["when"].endswith("+00:00")
    assert not list((tmp_path / "results").glob("*.partial"))
    printed = capsys.readouterr().out
    assert "what   seconds      n  met" in printed
    assert "ours     1.235  2,000" in printed


def test_quick_measures_once_and_writes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = fake(monkeypatch, OUTCOME)
    monkeypatch.setattr(runner, "RESULTS", tmp_path)
    assert runner.main(["startup", "--quick"]) == 0
    assert [(s.repeats, s.quick) for s in seen] == [(1, True)]
    assert not list(tmp_path.iterdir())


def test_all_runs_every_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = fake(monkeypatch, OUTCOME)
    assert runner.main(["all", "--quick"]) == 0
    assert len(seen) == len(runner.NAMES)


def test_what_is_missing_is_said_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, Missing("There is no such folder."))
    assert runner.main(["transfer", "--out", str(tmp_path)]) == 0
    assert "Left out: There is no such folder." in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_failure_does_not_keep_the_others_from_running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = fake(monkeypatch, Failed("python x.py ended with 1:\nword"))
    assert runner.main(["startup", "transfer", "--quick"]) == 1
    assert len(seen) == 2
    assert "Failed: python x.py ended with 1:" in capsys.readouterr().err


def test_ctrl_c_ends_the_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen = fake(monkeypatch, KeyboardInterrupt())
    assert runner.main(["startup", "transfer", "--quick"]) == 130
    assert len(seen) == 1
    assert "Stopped during startup" in capsys.readouterr().err


def test_a_busy_machine_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, OUTCOME)
    monkeypatch.setattr(runner, "load", lambda: 7.0)
    runner.main(["startup", "--out", str(tmp_path)])
    assert "This machine is busy (load 7.0)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [(["speed"], "there is no benchmark 'speed'"), (["all", "--repeats", "0"], "must be at least 1")],
)
def test_wrong_arguments_are_named(argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        runner.main(argv)
    assert sentence in capsys.readouterr().err


def test_cells() -> None:
    values = [None, True, False, 12345, 12345.6, 0.123456, "a"]
    assert [bench.cell(v) for v in values] == ["", "yes", "no", "12,345", "12,346", "0.1235", "a"]


def test_versions_and_middle() -> None:
    assert list(bench.versions("numpy")) == ["cutaway", "python", "numpy"]
    assert bench.middle([3, 1, 2.345678]) == 2.35
