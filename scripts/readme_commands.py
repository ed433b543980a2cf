"""The `$ cutaway` lines of README's first block -> run in an empty folder, their output written under them.

    python scripts/readme_commands.py

Only what goes to standard output is kept (progress and notes go to standard error), long lines are cut at 100.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "```console\n", "```\n"
WIDTH = 100


def renewed(readme: str, folder: Path) -> str:
    """README's text, folder to work in -> the text with the outputs of its first console block written anew."""
    before, mark, rest = readme.partition(BEGIN)
    block, end, after = rest.partition(END)
    if not (mark and end):
        raise SystemExit("README.md has no console block.")
    commands = [line for line in block.splitlines() if line.startswith("$ cutaway")]
    told = [f"{line}\n{output(shlex.split(line)[2:], folder)}" for line in commands]
    return before + mark + "\n".join(told) + end + after


def output(arguments: list[str], folder: Path) -> str:
    """Arguments after `cutaway`, working folder -> what the command prints."""
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": str(WIDTH)}
    command = [sys.executable, "-m", "cutaway", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return "".join(cut(line) + "\n" for line in done.stdout.strip("\n").splitlines())


def cut(line: str) -> str:
    return line.rstrip() if len(line) <= WIDTH else line[: WIDTH - 4].rstrip() + " ..."


def main() -> None:
    path = ROOT / "README.md"
    with tempfile.TemporaryDirectory() as folder:
        path.write_text(renewed(path.read_text(encoding="utf-8"), Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
