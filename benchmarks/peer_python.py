"""What runs the peers: Keras and pytorch-grad-cam in .venv-bench, apart from our own; torchlens in a folder beside."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from benchmarks.bench import ROOT, Missing, say

FOLDER = ROOT / ".venv-bench"
VARIABLE = "CUTAWAY_BENCH_PYTHON"
TORCHLENS_FOLDER = ROOT / ".venv-torchlens"
TORCHLENS_VARIABLE = "CUTAWAY_TORCHLENS"
TORCHLENS = ["torchlens==2.36.1", "graphviz"]


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
        say(f"installing {', '.join(wanted)} into {FOLDER.name} (5 GB, minutes, once) ...")
        install(python, wanted)
        stamp.write_text("\n".join(wanted), encoding="utf-8")
    return python


def torchlens_folder() -> Path:
    """-> the folder with torchlens for PYTHONPATH, filled now where it is not yet; it runs on our own torch.

    CUTAWAY_TORCHLENS names another one. Raises Missing where it cannot be installed.
    """
    if given := os.environ.get(TORCHLENS_VARIABLE):
        if not (Path(given) / "torchlens").is_dir():
            raise Missing(
                f"{TORCHLENS_VARIABLE} is {given}, which holds no torchlens; name another folder or unset it."
            )
        return Path(given)
    stamp = TORCHLENS_FOLDER / ".stamp"
    if not (stamp.exists() and stamp.read_text(encoding="utf-8") == "\n".join(TORCHLENS)):
        say(f"installing {', '.join(TORCHLENS)} into {TORCHLENS_FOLDER.name} (10 MB, once) ...")
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check"]
        _done([*pip, "--no-deps", "--target", str(TORCHLENS_FOLDER), *TORCHLENS], TORCHLENS_FOLDER, TORCHLENS_VARIABLE)
        stamp.write_text("\n".join(TORCHLENS), encoding="utf-8")
    return TORCHLENS_FOLDER


def requirements(pyproject: Path) -> list[str]:
    """pyproject.toml -> what its extra `bench` asks for."""
    with pyproject.open("rb") as file:
        found: list[str] = tomllib.load(file)["project"]["optional-dependencies"]["bench"]
    return found


def install(python: Path, wanted: list[str]) -> None:
    pip = [str(python), "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check", *wanted]
    for command in ([sys.executable, "-m", "venv", str(FOLDER)], pip):
        _done(command, FOLDER, VARIABLE)


def _done(command: list[str], folder: Path, variable: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        raise Missing(
            f"The peers' libraries could not be installed into {folder.name} ({last}); install them where there "
            f"is a network, or name what has them with {variable}=."
        )
