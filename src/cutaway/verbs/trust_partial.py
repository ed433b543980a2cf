"""Where a measurement of trust stands <-> a file beside its table, so that the same command goes on from there."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from cutaway.errors import BadInput
from cutaway.explanation.trust import LEVELS, Standing, Sum, Tally


def save(path: Path, question: str, standing: Standing) -> None:
    """Writes what stands; a kill in the middle leaves the file before it."""
    document = {"question": question, **dataclasses.asdict(standing)}
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(document), encoding="utf-8")
    beside.replace(path)


def question_of(partial: Path) -> str:
    return str(_read(partial)[0])


def taken_up(partial: Path, question: str) -> Standing | None:
    """Partial file -> where it stood, None where there is none. Raises BadInput for a damaged one, one of another
    question."""
    if not partial.exists():
        return None
    asked, standing = _read(partial)
    if asked != question:
        raise BadInput(
            f"{partial} holds partial results of another measurement (other model, pictures, methods or settings); "
            "give another --out, or delete it."
        )
    return standing


def _read(partial: Path) -> tuple[str, Standing]:
    try:
        found = json.loads(partial.read_text(encoding="utf-8"))
        tallies = {str(name): _tally(tally) for name, tally in found["tallies"].items()}
        left_out = {str(name): str(why) for name, why in found["left_out"].items()}
        return str(found["question"]), Standing(int(found["done"]), tallies, left_out)
    except Exception as error:  # torn text fails in many ways
        reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
        raise BadInput(
            f"The partial results {partial} are damaged ({reason}); delete the file to begin anew."
        ) from None


def _tally(found: dict[str, Any]) -> Tally:
    sums = {str(k): Sum(int(v["n"]), float(v["mean"]), float(v["squares"])) for k, v in found["sums"].items()}
    levels = {level: int(found["levels"][level]) for level in LEVELS}
    return Tally(sums, levels, float(found["seconds"]), float(found["with_checks"]), str(found["layer"]))
