"""Docstrings are written for readers of the code; this makes what Markdown would misread into code, for the site only.

`counts[fold][class]` would become a link, a tree drawn with lines or a list in columns one long paragraph.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

SUBSCRIPTS = re.compile(r"(?<![`\w.])[\w.]+(?:\[[^\[\]\n`]+\]){2,}")
TREE = re.compile(r"[├└│]")
COLUMNS = re.compile(r"\S {2,}\S")


class PlainText(Extension):
    """Griffe extension: each docstring, once read, is rewritten for Markdown."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = "\n\n".join(map(paragraph, obj.docstring.value.split("\n\n")))


def paragraph(text: str) -> str:
    """One paragraph of a docstring -> the same for Markdown."""
    lines = text.splitlines()
    if TREE.search(text) or (len(lines) > 1 and all(COLUMNS.search(line) for line in lines)):
        return f"```text\n{text}\n```"
    return "`".join(part if n % 2 else SUBSCRIPTS.sub(r"`\g<0>`", part) for n, part in enumerate(text.split("`")))
