"""Several edits as one: done and undone in one step, and checked only when all are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cutaway.errors import BadInput
from cutaway.surgery.edit import Edit, edit_of
from cutaway.surgery.patient import Patient

MOST_EDITS = 1000


@dataclass(frozen=True)
class Together(Edit):
    """Several edits in one step; only what comes out of all of them has to work."""

    structural = True

    edits: tuple[Any, ...]
    """Edits, or their JSON."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= len(self.edits) <= MOST_EDITS:
            raise BadInput(f"together goes with 1 to {MOST_EDITS} edits. Got {len(self.edits)}.")
        if any(isinstance(edit, Mapping) and edit.get("edit") == self.kind for edit in self.edits):
            raise BadInput("edits that belong together are given in one list, not in lists of lists.")
        read = [edit if isinstance(edit, Edit) else edit_of(edit) for edit in self.edits]
        flat = [one for edit in read for one in (edit.edits if isinstance(edit, Together) else (edit,))]
        object.__setattr__(self, "edits", tuple(flat))

    def operate(self, patient: Patient) -> None:
        for edit in self.edits:
            patient.undergo(edit)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for edit in self.edits for name in edit.layers))

    @property
    def sentence(self) -> str:
        return "; ".join(edit.sentence for edit in self.edits)

    def to_dict(self) -> dict[str, Any]:
        return {"edit": self.kind, "edits": [edit.to_dict() for edit in self.edits]}
