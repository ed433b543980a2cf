"""Model and edits -> another Model. The first is untouched; what no edit changes is shared, to the byte."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cutaway.errors import BadInput, CutawayError
from cutaway.model import Model
from cutaway.surgery.edit import Edit
from cutaway.surgery.fits import first_break
from cutaway.surgery.patient import Patient
from cutaway.surgery.refusal import must_still_work


def apply(model: Model, edits: Sequence[Edit]) -> Model:
    """Model, edits in order -> the edited Model; its card's "edits" holds them as JSON, "untrained" names the layers
    that need `heal`, "adapted" says what had to follow.

    Raises BadInput that names the edit which does not fit and why; Refusal where the network would no longer work.
    """
    patient = operated(model, edits)
    card: dict[str, str] = {}
    if edits:
        before = json.loads(model.card.get("edits", "[]"))
        card["edits"] = json.dumps([*before, *(e.to_dict() for e in edits)])
    if patient.untrained:
        card["untrained"] = json.dumps({**json.loads(model.card.get("untrained", "{}")), **patient.untrained})
    if patient.notes:
        card["adapted"] = " ".join(dict.fromkeys([*filter(None, [model.card.get("adapted")]), *patient.notes]))
    return patient.model(card)


def operated(model: Model, edits: Sequence[Edit]) -> Patient:
    """As `apply`, giving the patient: its notes, and which steps changed.

    Edits that follow may mend what one broke (the stride of a block, then that of its shortcut): what counts is whether
    the network works after all of them. Where it does not, the first that broke it is refused.
    """
    patient = Patient(model)
    blamed: int | None = None
    for at, edit in enumerate(edits):
        try:
            patient.undergo(edit)
        except CutawayError as error:
            if blamed is not None:
                break
            raise BadInput(f"{edit.sentence}: {error}") from None
        patient.done.append(edit)
        if edit.structural and first_break(patient) is None:
            blamed = None
        elif edit.structural and blamed is None:
            blamed = at
    if blamed is not None:
        must_still_work(patient, edits[blamed], blamed)
    return patient
