"""The set-up scripts say in one sentence what is missing, and no file names a registry's host or somebody's machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Written in pieces, so that this file does not find itself.
FOREIGN = re.compile(
    "|".join(
        [
            *(rf"(?<![\w.])/{top}/" for top in ("wo" + "rk", "tm" + "p", "ro" + "ot", "ho" + "me/[a-z]")),
            *(re.escape(a + b) for a, b in [("pypi", ".org"), ("python", "hosted.org"), ("download.py", "torch.org")]),
            *(
                re.escape(a + b)
                for a, b in [("registry.np", "mjs"), ("index", "-url"), ("find", "-links"), ("+c", "pu")]
            ),
        ]
    )
)


def run(script: str, *arguments: str, folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """A script of ours, in `folder`, with only the programs of `path` in reach."""
    return subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / script), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={"PATH": path},
    )


def program(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def linked(folder: Path, *names: str) -> str:
    """Folder with links to the machine's programs of those names -> what PATH must be to reach only them."""
    folder.mkdir(exist_ok=True)
    for name in names:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


def test_a_missing_python_is_named(tmp_path: Path) -> None:
    done = run("venv", "python9", folder=tmp_path, path=linked(tmp_path / "bin"))
    assert done.returncode == 1
    assert "found no 'python9'" in done.stderr
    assert "make demo PYTHON=" in done.stderr


def test_an_old_python_is_named_with_its_version(tmp_path: Path) -> None:
    old = program(tmp_path / "bin", "python3", 'case $1 in -V) echo "Python 3.9.2";; *) exit 1;; esac')
    done = run("venv", str(old), folder=tmp_path, path=str(tmp_path / "bin"))
    assert done.returncode == 1
    assert "is Python 3.9.2: name a newer one" in done.stderr


def test_a_python_without_venv_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = program(tmp_path / "bin", "python3", "case $1 in -c) exit 0;; *) mkdir -p .venv; exit 1;; esac")
    done = run("venv", str(broken), folder=tmp_path, path=linked(tmp_path / "bin", "mkdir", "rm"))
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_browser_that_is_there_needs_no_word(tmp_path: Path) -> None:
    program(tmp_path / "bin", "chromium", "exit 0")
    done = run("browser", folder=tmp_path, path=str(tmp_path / "bin"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_browser_and_apt_the_reason_is_given_and_work_goes_on(tmp_path: Path) -> None:
    done = run("browser", folder=tmp_path, path=linked(tmp_path / "bin"))
    assert done.returncode == 0
    assert done.stderr == "No Chromium, and no apt-get to install it with: the page tests will be skipped.\n"


@pytest.mark.skipif(not Path("/etc/debian_version").exists(), reason="the browser is installed on Debian only")
def test_where_apt_fails_its_words_are_shown_and_work_goes_on(tmp_path: Path) -> None:
    programs = linked(tmp_path / "bin", "grep", "mktemp", "tail", "rm", "env")
    program(tmp_path / "bin", "apt-get", 'echo "E: no network"; exit 100')
    program(tmp_path / "bin", "id", "echo 0")
    done = run("browser", folder=tmp_path, path=programs)
    if "only Debian" in done.stderr:
        pytest.skip("this is a relative of Debian, where Chromium comes as a snap")
    assert done.returncode == 0
    assert "E: no network" in done.stderr
    assert "because apt-get could not install it" in done.stderr


@pytest.mark.parametrize("text", ["see /wo" + "rk/main", "pip --index" + "-url x", "torch==2.13.0+c" + "pu"])
def test_the_search_for_foreign_text_finds_it(text: str) -> None:
    assert FOREIGN.search(text)


def test_no_file_names_a_registry_or_this_machine() -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("which files belong to the project is known to git only, and this is no clone")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout.decode()
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (head := path.read_bytes()):
            lines = head.decode("utf-8", "replace").splitlines()
            found += [f"{name}:{n}: {line.strip()}" for n, line in enumerate(lines, 1) if FOREIGN.search(line)]
    assert found == []
