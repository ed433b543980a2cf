"""Past trainings under runs/ -> cards for the page, newest first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cutaway.studio.schemas.home import RunCard
from cutaway.training.run_folder import RUNS
from cutaway.verbs.example import example_picture


def run_cards(folder: Path) -> tuple[RunCard, ...]:
    """Folder that the studio was started in -> one card for each run below its runs/, newest first. What cannot be read
    is left out: a run that another process writes at this moment."""
    found = []
    for config in (folder / RUNS).glob("*/config.json"):
        document, report = _json(config), _json(config.with_name("report.json"))
        if document is None:
            continue
        test = (report or {}).get("test") or {}
        found.append(
            RunCard(
                name=config.parent.name,
                path=str(config.parent),
                made=config.stat().st_mtime,
                network=str((report or document).get("network_name") or document.get("network") or ""),
                classes=len(document.get("classes") or ()),
                accuracy=test.get("accuracy"),
                finished=report is not None,
                example=example_picture(config.parent) if report else "",
            )
        )
    return tuple(sorted(found, key=lambda card: -card.made))


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
