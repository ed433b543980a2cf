"""The reference pages, written while the site is built: one for the verbs, one for each room of src/cutaway.

The verbs' pages are made of the options dataclasses that the command line is made of; a room's page is made of its
docstrings. A new room, module or option appears here by itself.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

SRC = Path(__file__).resolve().parents[1] / "src"
sys.path.insert(0, str(SRC))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference pages to the navigation."""
    assert config.nav is not None
    if not any("Reference" in entry for entry in config.nav):
        config.nav.append({"Reference": [{title: uri} for uri, title, _ in reference()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the reference pages to the site."""
    for uri, title, body in reference():
        files.append(File.generated(config, uri, content=f"---\ntitle: {title}\n---\n\n{body}\n"))
    return files


def reference() -> list[tuple[str, str, str]]:
    """-> (address, title, Markdown) of every reference page, the verbs first, then the rooms by name."""
    pages = [("reference/verbs.md", "Verbs", verbs_page())]
    pages += [(f"reference/{room}.md", room, room_page(room)) for room in rooms()]
    return pages


def rooms() -> list[str]:
    """-> names of the rooms: packages and single files of src/cutaway that hold something."""
    entries = sorted((SRC / "cutaway").iterdir())
    names = [p.stem for p in entries if p.suffix == ".py" or (p / "__init__.py").exists()]
    return [name for name in names if not name.startswith("_")]


def room_page(room: str) -> str:
    """Room -> Markdown that mkdocstrings fills with the docstrings of all its modules."""
    return f"# `cutaway.{room}`\n\n::: cutaway.{room}\n    options:\n      show_root_heading: false\n      show_root_toc_entry: false\n"


def first_sentence(text: str | None) -> str:
    return " ".join((text or "").strip().split("\n\n")[0].split())


def verbs_page() -> str:
    return "# Verbs\n"


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
