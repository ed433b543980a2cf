"""Where a run stands -> one file, replaced whole or not at all, so that kill -9 at any moment leaves a usable one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import torch

from cutaway.errors import BadInput, BadModel


def write_whole(path: Path, write: Any) -> None:
    """Path, writer(partial path) -> the file in place: written beside it, synced, then renamed over it.

    Raises BadInput in one sentence when the disk is full; the older file stays as it was.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        write(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as RuntimeError
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "the disk is full"
        raise BadInput(
            f"{path} could not be written ({reason}); what was saved before is untouched. "
            "Free some space and give the command again; a training goes on with: cutaway resume."
        ) from None


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """State (tensors, numbers, texts, lists, dicts) -> the checkpoint file."""
    write_whole(path, lambda partial: torch.save(state, partial))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Checkpoint file -> state; no code in it is run. Raises BadModel where it is damaged."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a torn file fails in any of zipfile's, torch's and the unpickler's ways
        raise _damaged(path, (str(error).splitlines() or ["empty"])[0][:100]) from None
    if not isinstance(state, dict):
        raise _damaged(path, "it holds no state")
    return state


def _damaged(path: Path, reason: str) -> BadModel:
    return BadModel(
        f"The checkpoint {path} is damaged ({reason}); delete it, and cutaway resume begins this stretch of training "
        "anew."
    )
