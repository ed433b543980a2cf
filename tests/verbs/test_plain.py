"""Results and events as JSON values."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from cutaway.events import Found, Progress
from cutaway.verbs.plain import to_plain


@dataclasses.dataclass(frozen=True)
class Inner:
    values: tuple[float, ...]
    where: Path


class Says:
    def to_dict(self) -> dict[Any, Any]:
        return {"inner": Inner((1.0, float("nan"), float("inf")), Path("a/b")), 3: {"x"}}


def test_anything_becomes_json() -> None:
    found = to_plain([Says(), None, True, 2, "x", Progress("a", 1, None)])
    assert found == [
        {"inner": {"values": [1.0, None, None], "where": "a/b"}, "3": "{'x'}"},
        None, True, 2, "x", {"task": "a", "done": 1, "total": None, "unit": "items"},
    ]  # fmt: skip
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert to_plain(Found("copies", "text", ("a",))) == {"kind": "copies", "text": "text", "names": ["a"]}
    assert to_plain(Inner) == str(Inner)  # a class is no result
