"""`import cutaway` and `cutaway --help` stay quick: what they import is counted, since seconds depend on the machine.

Measured on Python 3.11: a change that passes a ceiling has pulled something in that belongs inside a function.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cutaway.verbs import VERBS

SRC = Path(__file__).resolve().parents[1] / "src"
HEAVY = {
    *("torch", "torchvision", "timm", "numpy", "scipy", "pandas", "PIL", "sklearn", "skimage", "cleanlab", "pyarrow"),
    *("h5py", "optuna", "safetensors", "tensorboardX", "jinja2", "matplotlib", "tensorflow", "fastapi", "playwright"),
}
FRONT = {"typer", "click", "rich"}

PROBE = """
import contextlib, io, json, runpy, sys
before = set(sys.modules)
argv = json.loads(sys.argv[1])
if argv is None:
    import cutaway
else:
    sys.argv = ["cutaway", *argv]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        runpy.run_module("cutaway", run_name="__main__", alter_sys=True)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def imported(argv: list[str] | None, *, more: str = "") -> set[str]:
    """Arguments of the command, or None for `import cutaway` alone -> modules that a fresh Python then holds."""
    done = subprocess.run(
        [sys.executable, "-c", more + PROBE, json.dumps(argv)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def libraries(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def test_import_cutaway_loads_no_library() -> None:
    modules = imported(None)
    assert libraries(modules) & (HEAVY | FRONT) == set()
    assert len(modules) <= 60, sorted(modules)


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["train", "--help"], ["predict", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(argv: list[str]) -> None:
    modules = imported(argv)
    assert libraries(modules) & HEAVY == set()
    assert len(modules) <= 420, len(modules)


def test_the_list_of_verbs_imports_none_of_them() -> None:
    assert imported(["--help"]) & {f"cutaway.verbs.{name}" for name in VERBS} == set()


def test_the_count_notices_a_heavy_import() -> None:
    assert "numpy" in libraries(imported(None, more="")) | libraries(imported_with_numpy())


def imported_with_numpy() -> set[str]:
    """What the probe would report if the package imported numpy on the way."""
    return imported(None, more="import builtins\nreal = builtins.__import__\n" + WITH_NUMPY)


WITH_NUMPY = """
def also(name, *rest, **named):
    found = real(name, *rest, **named)
    if name == "cutaway":
        real("numpy")
    return found
builtins.__import__ = also
"""
