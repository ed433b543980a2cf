"""Where a ranking stands <-> a file beside its table, so that the same command goes on from there."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadInput
from cutaway.surgery.rank import Standing
from cutaway.surgery.tally import Tally

_KEEP_SECONDS = 5.0


class Keeper:
    """Writes what stands into the partial file, at most every few seconds."""

    def __init__(self, path: Path, question: str) -> None:
        self._path, self._question, self._last = path, question, time.monotonic()

    def __call__(self, standing: Standing) -> None:
        if time.monotonic() - self._last >= _KEEP_SECONDS:
            self.save(standing)

    def save(self, standing: Standing) -> None:
        self._last = time.monotonic()
        arrays = {"question": np.array(self._question), "at": np.array([standing.done, standing.ahead])}
        for name in ("plain", "tally", "pending"):
            tally: Tally = getattr(standing, name)
            arrays |= {f"{name}_{i}": array for i, array in enumerate(tally.arrays)}
        made = io.BytesIO()
        np.savez_compressed(made, **arrays)  # type: ignore[arg-type]
        beside = self._path.with_name(self._path.name + ".new")
        beside.write_bytes(made.getvalue())
        beside.replace(self._path)


def question_of(partial: Path) -> str:
    return str(_arrays(partial)["question"])


def taken_up(partial: Path, question: str) -> Standing | None:
    """Partial file -> where it stood, None where there is none. Raises BadInput for a damaged one, one of another
    question."""
    if not partial.exists():
        return None
    arrays = _arrays(partial)
    if str(arrays["question"]) != question:
        raise BadInput(
            f"{partial} holds partial results of another ranking (other model, pictures, layers or settings); give "
            "another --out, or delete it."
        )
    tallies = [Tally(*(arrays[f"{name}_{i}"] for i in range(6))) for name in ("plain", "tally", "pending")]
    done, ahead = (int(v) for v in arrays["at"])
    return Standing(done, tallies[0], tallies[1], ahead, tallies[2])


def _arrays(partial: Path) -> dict[str, NDArray[Any]]:
    names = ["question", "at", *(f"{name}_{i}" for name in ("plain", "tally", "pending") for i in range(6))]
    try:
        with np.load(partial, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except Exception as error:  # a torn zip fails in many ways
        reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
        raise BadInput(
            f"The partial results {partial} are damaged ({reason}); delete the file to begin anew."
        ) from None
