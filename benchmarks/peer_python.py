"""The Python that runs the peers: TensorFlow and Keras live in .venv-bench, apart from Cutaway and its torch."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from benchmarks.bench import ROOT, Missing, say

FOLDER = ROOT / ".venv-bench"
VARIABLE = "CUTAWAY_BENCH_PYTHON"


def peer_python() -> Path:
    """-> the interpreter that has the libraries of the extra `bench`, installed now where they are not yet.

    CUTAWAY_BENCH_PYTHON names another one that has them. Raises Missing where they cannot be installed.
    """
    if given := os.environ.get(VARIABLE):
        if not Path(given).is_file():
            raise Missing(
                f"{VARIABLE} is {given}, and there is no such file; name a Python that has TensorFlow, or unset it."
            )
        return Path(given)
    wanted = requirements(ROOT / "pyproject.toml")
    python, stamp = FOLDER / "bin" / "python", FOLDER / ".stamp"
    if not (stamp.exists() and stamp.read_text(encoding="utf-8") == "\n".join(wanted)):
        say(f"installing {', '.join(wanted)} into {FOLDER.name} (2 GB, minutes, once) ...")
        install(python, wanted)
        stamp.write_text("\n".join(wanted), encoding="utf-8")
    return python


def requirements(pyproject: Path) -> list[str]:
    """pyproject.toml -> what its extra `bench` asks for."""
    with pyproject.open("rb") as file:
        found: list[str] = tomllib.load(file)["project"]["optional-dependencies"]["bench"]
    return found


def install(python: Path, wanted: list[str]) -> None:
    pip = [str(python), "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check", *wanted]
    for command in ([sys.executable, "-m", "venv", str(FOLDER)], pip):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
            raise Missing(
                f"The peers' libraries could not be installed into {FOLDER.name} ({last}); install them where there "
                f"is a network, or name a Python that has them with {VARIABLE}=."
            )
