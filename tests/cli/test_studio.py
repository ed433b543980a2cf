"""cutaway studio: what it says before it serves, and that it ends as it should."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cutaway.cli.main import make_app


def run(*words: str) -> tuple[int, str]:
    """Words after `cutaway studio`, which must end by themselves -> exit code, what was said."""
    said = CliRunner().invoke(make_app({"studio"}), ["studio", *words, "--no-browser"])
    return said.exit_code, said.output


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nothing.h5",), "There is no model file nothing.h5."),
        (("zoo:lenet55",), "lenet5"),
        (("zoo:lenet5", "--picture", "nowhere.png"), "nowhere.png is no file or folder"),
        (("zoo:lenet5", "--picture", "digits:9999"), "digits has 1,797 pictures"),
        (("--picture", "sample:cta"), "Did you mean cat?"),
        (("--data", "nowhere"), "nowhere is no file or folder, and no data set by name (digits, faces,"),
        (("last",), "There is no run 'last'; runs here: none yet."),
    ],
)
def test_what_cannot_be_opened_is_told_before_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = run(*words)
    assert code == 2
    assert why in said
    assert "http" not in said
    assert len(said.strip().splitlines()) == 1


def test_a_port_that_is_taken_or_none_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = run("--port", str(port))
    assert (code, said.strip()) == (
        2, f"Port {port} is taken or not allowed; name another one with --port, or --port 0 for any.",
    )  # fmt: skip
    assert run("--port", "70000")[0] == 2


def test_its_help_names_every_option() -> None:
    said = CliRunner().invoke(make_app({"studio"}), ["studio", "--help"], env={"COLUMNS": "200"}).output
    missing = [word for word in ("MODEL", "--picture", "--data", "--port", "--no-browser") if word not in said]
    assert not missing, said


def test_it_prints_its_address_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cutaway", "studio", "zoo:lenet5", "--picture=sample:cat", "--port=0", "--no-browser"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", first)
        assert found, first
        assert process.stdout.readline() == "It listens on this machine only. Ctrl-C ends it.\n"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(found[0].split("?")[0] + "api/hello", timeout=10)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "Traceback" not in said
    finally:
        process.kill()
        process.wait()
