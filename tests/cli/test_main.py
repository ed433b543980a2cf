"""The command line: help says every sentence, a wrong word is one sentence, the end of a pipe is no fault."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapes import Cli

import cutaway
from cutaway.cli.main import to_plain
from cutaway.events import Event
from cutaway.options import fields_of
from cutaway.verbs import VERBS, Verb, networks, verb


def plain(text: str) -> str:
    """Help as printed -> its words: boxes and line breaks undone."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize("name", VERBS)
def test_help_of_a_verb_shows_every_flag_and_every_sentence(
    name: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    for flag in ("--help", "-h"):
        said = cli(name, flag)
        assert (said.code, said.err) == (0, "")
        words = plain(said.out)
        assert plain(verb(name).sentence) in words
        for field in fields_of(verb(name).options):
            assert plain(field.help) in words, field.name
            placed = field.required or (name, field.name) in {("report", "run"), ("compare", "pictures")}
            assert (field.name if placed else "--" + field.name.replace("_", "-")) in words
        assert "--json" in words


def test_help_lists_every_verb_with_its_sentence(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    for line in ((), ("--help",), ("-h",)):
        said = cli(*line)
        assert (said.code, said.err) == (0, "")
        for name in VERBS:
            assert verb(name).sentence in plain(said.out)


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"cutaway {cutaway.__version__}\n"


WRONG = [
    (("train",), "cutaway train: missing argument 'data'; see cutaway train --help."),
    (("predict", "x"), "cutaway predict: missing argument 'pictures'; see cutaway predict --help."),
    (("train", "x", "--nettwork", "y"), "no such option: --nettwork"),
    (("train", "x", "y"), "unexpected extra argument"),
    (("train", "x", "--epochs", "two"), "invalid value for '--epochs'"),
    (("train", "x", "--epochs"), "requires an argument"),
    (("trian", "x"), "cutaway: no such command 'trian'"),
    (("--verbose",), "cutaway: no such option: --verbose"),
]


@pytest.mark.parametrize(("line", "sentence"), WRONG)
def test_a_wrong_word_is_one_sentence(line: tuple[str, ...], sentence: str, cli: Cli) -> None:
    said = cli(*line)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert said.err.endswith("--help.\n")


def test_python_m_cutaway_is_cutaway() -> None:
    done = subprocess.run([sys.executable, "-m", "cutaway", "trian"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cutaway: no such command 'trian'")


@pytest.mark.parametrize("line", ["networks", "networks --json", "--help", "train --help"])
def test_a_reader_that_leaves_is_no_fault(line: str) -> None:
    """`cutaway networks | head -1`: exit code 0, nothing on standard error."""
    script = f"{sys.executable} -m cutaway {line} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


@pytest.mark.slow
def test_training_goes_on_when_nobody_listens_any_more(shapes: Path) -> None:
    """`cutaway train shapes 2>&1 | head -1`: the run is finished all the same."""
    script = f"{sys.executable} -m cutaway train {shapes} --epochs 2 --threads 1 --out run 2>&1 | head -1; "
    done = subprocess.run(["bash", "-c", script + "echo ${PIPESTATUS[0]}"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"
    assert Path("run/report.html").exists()


def raising(error: BaseException) -> Verb[..., Any]:
    def run(_: Any) -> Generator[Event, None, None]:
        yield from ()
        raise error

    return Verb("networks", networks_options(), run)


def networks_options() -> Any:
    return verb("networks").options


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An error -> `cutaway networks` raises it in the middle of its work."""

    def put(error: BaseException) -> None:
        module = sys.modules["cutaway.cli.main"]  # cutaway.cli has the function of that name
        monkeypatch.setattr(module, "verb", lambda name: raising(error) if name == "networks" else verb(name))

    return put


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_or_closed_disk_is_one_sentence(code: int, broken: Any, cli: Cli) -> None:
    broken(OSError(code, "as the system says", "there/file"))
    said = cli("networks")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "there/file cannot be written (as the system says); make room or choose another place, and try again.\n"
    )
    broken(OSError(code, "as the system says"))
    assert cli("networks").err.startswith("A file cannot be written (as the system says)")


def test_a_fault_of_ours_keeps_its_traceback(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for fault in (ValueError("ours"), FileNotFoundError(errno.ENOENT, "ours")):
        broken(fault)
        monkeypatch.setattr(sys, "argv", ["cutaway", "networks"])
        with pytest.raises(type(fault), match="ours"):
            cutaway_main()


def cutaway_main() -> None:
    from cutaway.cli import main

    main()


def test_ctrl_c_is_130_and_a_word(broken: Any, cli: Cli) -> None:
    broken(KeyboardInterrupt())
    said = cli("networks")
    assert (said.code, said.out, said.err) == (130, "", "Stopped.\n")


@pytest.mark.parametrize("moment", ["make_app", "typer"])
def test_ctrl_c_before_the_verb_begins_is_130_and_a_word(moment: str, tmp_path: Path) -> None:
    """While the flags are put together, and while the library that does so is read."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Pressed:\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == {'cutaway.cli.studio' if moment == 'make_app' else 'typer'!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Pressed())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    command = [sys.executable, "-m", "cutaway", "networks"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped.\n")


def test_results_become_json_values() -> None:
    got = to_plain({1: (Path("a/b"), float("nan"), float("inf"), 2.5, None, True, np.float64(0.5))})
    assert got == {"1": ["a/b", None, None, 2.5, None, True, 0.5]}
    assert json.loads(json.dumps(got, allow_nan=False)) == got
    assert to_plain(networks.networks("lenet5"))[0]["name"] == "lenet5"


def test_completion_is_there() -> None:
    # typer asks which shell it runs in unless told not to; under make that is sh, which has no completion
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    command = [sys.executable, "-m", "cutaway", "--show-completion", "bash"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "cutaway" in done.stdout
