"""Run: what training leaves behind, as Python sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway.reports import Report

if TYPE_CHECKING:
    from cutaway.model import Model


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its folder, its Report, and why training ended ("finished", "stopped", "no lower ...").

    `report` is None after a preview, or where this process was not the leading one of several.
    """

    folder: Path
    report: Report | None
    ended: str

    @property
    def model(self) -> Model:
        """The trained classifier, opened from the run folder."""
        from cutaway.model import open_model

        return open_model(self.folder)
