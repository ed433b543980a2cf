"""The studio's page comes with every installation: built when it must be, from a lock that works everywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

import hatch_build
from hatch_build import NODE, PageError, StudioPage, build, current, digest, needed, npm, usable

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "web"
LOCK = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
PACKAGE = json.loads((WEB / "package.json").read_text(encoding="utf-8"))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A little project with a page to build, and CUTAWAY_WEB unset."""
    monkeypatch.delenv("CUTAWAY_WEB", raising=False)
    web = tmp_path / "web"
    (web / "src").mkdir(parents=True)
    (web / "package.json").write_text("{}")
    (web / "src" / "main.ts").write_text("hello()")
    return tmp_path


def pretend_built(root: Path) -> None:
    static = root / hatch_build.STATIC
    static.mkdir(parents=True, exist_ok=True)
    (static / "index.html").write_text("<title>Cutaway</title>")
    (static / hatch_build.STAMP).write_text(json.dumps({"sources": digest(root)}))


def hook(root: Path) -> StudioPage:
    return StudioPage(str(root), {}, None, None, str(root / "dist"), "wheel")  # type: ignore[arg-type]


def test_the_lock_names_the_bundler_of_every_system() -> None:
    bindings = {name for name in LOCK["packages"] if "/@rolldown/binding-" in name}
    assert len(bindings) == 16, "write the lock with npm 11.8 or newer, without web/node_modules"


def test_the_lock_pins_by_content_and_names_no_address() -> None:
    packages = [p for name, p in LOCK["packages"].items() if name]
    assert all("integrity" in p and "resolved" not in p for p in packages)


def test_what_the_page_is_built_with_survives_an_installation_without_test_tools() -> None:
    assert {"svelte", "vite", "@sveltejs/vite-plugin-svelte"} <= PACKAGE["dependencies"].keys()
    versions = [*PACKAGE["dependencies"].values(), *PACKAGE["devDependencies"].values()]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", v) for v in versions)
    assert LOCK["packages"][""]["dependencies"] == PACKAGE["dependencies"]
    assert LOCK["packages"][""]["devDependencies"] == PACKAGE["devDependencies"]


def test_a_page_is_built_once_and_again_when_its_sources_change(tree: Path) -> None:
    assert needed(tree)
    pretend_built(tree)
    assert not needed(tree)
    (tree / "web" / "node_modules" / "svelte").mkdir(parents=True)
    (tree / "web" / "node_modules" / "svelte" / "index.js").write_text("what npm puts there is no source")
    assert not needed(tree)
    (tree / "web" / "src" / "main.ts").write_text("hello(2)")
    assert needed(tree)
    pretend_built(tree)
    (tree / "web" / "src" / "main.ts").rename(tree / "web" / "src" / "first.ts")
    assert needed(tree)


def test_half_a_page_is_built_again(tree: Path) -> None:
    pretend_built(tree)
    (tree / hatch_build.STATIC / "index.html").unlink()
    assert needed(tree)
    pretend_built(tree)
    (tree / hatch_build.STATIC / hatch_build.STAMP).write_text("{")
    assert needed(tree)


def test_where_there_are_no_sources_nothing_is_built(tmp_path: Path) -> None:
    assert not needed(tmp_path)


def test_the_page_can_be_left_out_or_forced(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTAWAY_WEB", "skip")
    assert not needed(tree)
    pretend_built(tree)
    monkeypatch.setenv("CUTAWAY_WEB", "force")
    assert needed(tree)


@pytest.mark.parametrize(
    ("version", "runs"),
    [("v18.20.4", False), ("v20.18.3", False), ("v20.19.0", True), ("v21.7.3", False), ("v22.11.0", False),
     ("v22.12.0", True), ("24.19.0", True), ("v25.0.0-nightly2026", True), ("", False), ("deno 2", False)],
)  # fmt: skip
def test_which_node_is_usable(version: str, runs: bool) -> None:
    assert usable(version) is runs


def test_node_is_asked_for_only_where_it_is_needed_and_missing(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(tree / "new", "v22.12.0")
    programs(tree / "old", "v18.20.4")
    for path, asked in [("none", [NODE]), ("old", [NODE]), ("new", [])]:
        monkeypatch.setenv("PATH", f"{tree / path}{os.pathsep}/bin")
        if path == "none" and shutil.which("node"):
            continue  # this machine keeps its Node in /bin
        assert hook(tree).dependencies() == asked, path
    pretend_built(tree)
    assert hook(tree).dependencies() == []


def programs(folder: Path, version: str) -> None:
    folder.mkdir()
    for name in ("node", "npm"):
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)


def test_without_any_node_the_way_on_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hatch_build, "npm", lambda: None)
    with pytest.raises(PageError, match=r"takes Node 20\.19 or newer") as told:
        build(tree)
    assert all(way in str(told.value) for way in ("install again", "a released wheel", "CUTAWAY_WEB=skip"))


def test_a_failed_build_ends_the_installation_with_the_text_alone(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class App:
        def abort(self, text: str) -> None:
            said.append(text)

    monkeypatch.setattr(hatch_build, "npm", lambda: ["npm-that-is-not-there"])
    made = hook(tree)
    monkeypatch.setattr(StudioPage, "app", App())
    made.initialize("standard", {})
    assert len(said) == 1
    assert said[0].startswith("Cutaway's page was not built: npm could not fetch what the page is built with.")


def test_cleaning_removes_the_page(tree: Path) -> None:
    pretend_built(tree)
    hook(tree).clean([])
    assert not (tree / hatch_build.STATIC).exists()


def test_a_dead_registry_is_told_in_seconds(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if npm() is None:
        pytest.skip("there is no Node here")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(WEB / name, tree / "web" / name)
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9/")
    monkeypatch.setenv("NPM_CONFIG_CACHE", str(tree / "cache"))
    with pytest.raises(PageError, match="npm could not fetch what the page is built with") as told:
        build(tree)
    assert "ECONNREFUSED" in str(told.value)
    assert not (tree / hatch_build.STATIC).exists()


@pytest.mark.parametrize(
    ("markup", "said"),
    [
        ("<p>{#if}</p>", r"App\.svelte:1:\d"),
        ("<img src='cat.png'>", r"App\.svelte: .*alt"),
    ],
    ids=["a fault of syntax", "a picture without words"],
)
def test_a_fault_in_the_page_is_told_by_its_file(tree: Path, markup: str, said: str) -> None:
    modules = WEB / "node_modules"
    if npm() is None or not current(ROOT):
        pytest.skip("the page's tools are not installed")
    web = tree / "web"
    for name in ("package.json", "package-lock.json", "vite.config.ts", "svelte.config.js"):
        shutil.copy2(WEB / name, web / name)  # a lock that looks newer than what is installed would install anew
    (web / "node_modules").symlink_to(modules)
    (web / "index.html").write_text('<script type="module" src="/src/main.ts"></script>')
    (web / "src" / "main.ts").write_text("import App from './App.svelte';\nconsole.log(App);\n")
    (web / "src" / "App.svelte").write_text(markup)
    with pytest.raises(PageError, match="its sources do not build") as told:
        build(tree)
    assert re.search(said, str(told.value)), told.value


def test_wheel_and_source_archive_hold_the_page_and_the_archive_needs_no_node(tmp_path: Path) -> None:
    """As pip and `python -m build` make them, from this tree with a page in it."""
    tree = tmp_path / "tree"
    skipped = shutil.ignore_patterns("node_modules", "__pycache__", "static")
    for name in ("src", "web"):
        shutil.copytree(ROOT / name, tree / name, ignore=skipped)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"):
        shutil.copy(ROOT / name, tree / name)
    (tree / "web" / "node_modules" / "left").mkdir(parents=True)
    (tree / "web" / "node_modules" / "left" / "out.js").write_text("no source")
    pretend_built(tree)
    env = {name: value for name, value in os.environ.items() if name != "CUTAWAY_WEB"}
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path / "dist")]
    subprocess.run(command, cwd=tree, env=env, check=True, capture_output=True)
    page = {f"cutaway/studio/static/{name}" for name in ("index.html", hatch_build.STAMP)}

    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    assert page <= names
    assert not any(name.startswith(("web/", "hatch_build")) for name in names)

    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.split("/", 1)[-1] for name in file.getnames()}
        file.extractall(tmp_path / "out", filter="data")
    assert {f"src/{name}" for name in page} | {"web/package-lock.json", "web/.npmrc", "hatch_build.py"} <= names
    assert not any("node_modules" in name for name in names)
    (unpacked,) = (tmp_path / "out").iterdir()
    assert hook_without_node(unpacked) == []


def hook_without_node(root: Path) -> list[Any]:
    """What an installation of this folder would fetch on a machine without Node."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CUTAWAY_WEB", raising=False)
        patch.setattr(hatch_build, "system_node", lambda: None)
        return list(hook(root).dependencies())
