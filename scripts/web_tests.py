"""The page's own checks: types and accessible markup (svelte-check), functions and components (vitest).

They take Node and the tools of web/package.json. Where these cannot be had, one sentence says why, and work goes on:
the page itself was built when Cutaway was installed, and the browser tests use that one.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "web"
sys.path.insert(0, str(ROOT))

from hatch_build import NODE, current, npm  # noqa: E402  (the project's folder is not on the path of a script)

INSTALL = (
    "ci",
    "--include=dev",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=2000",
)
CHECKS = ("check", "test")


def main() -> None:
    command = npm() or fetched()
    if command is None:
        skip("there is no Node 20.19 or newer, and none could be fetched with pip")
    if not (current(ROOT) and (WEB / "node_modules" / "vitest").is_dir()):
        print("Installing what the page's own tests need into web/node_modules ...")
        if (done := run([*command, *INSTALL])).returncode:
            print(last(done), file=sys.stderr)
            skip("npm could not fetch their tools (its last words are above)")
    for check in CHECKS:
        if (done := run([*command, "run", check])).returncode:
            sys.exit(last(done, 200))


def fetched() -> list[str] | None:
    """() -> npm of the Node wheel, installed into this environment; None where pip cannot have it."""
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check", NODE]
    if subprocess.run(pip, stdin=subprocess.DEVNULL).returncode:
        return None
    importlib.invalidate_caches()
    return npm()


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=WEB, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", errors="replace", env={**os.environ, "NO_COLOR": "1", "CI": "1"},
    )  # fmt: skip


def last(done: subprocess.CompletedProcess[str], lines: int = 8) -> str:
    return "\n".join(done.stdout.strip().splitlines()[-lines:])


def skip(reason: str) -> None:
    print(f"The page's own tests were skipped: {reason}.", file=sys.stderr)
    raise SystemExit(0)


if __name__ == "__main__":
    main()
