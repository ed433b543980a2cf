"""Model and edits -> another Model. The first is untouched; what no edit changes is shared, to the byte."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cutaway.errors import BadInput, CutawayError
from cutaway.model import Model
from cutaway.surgery.edit import Edit
from cutaway.surgery.fits import first_break
from cutaway.surgery.patient import Patient
from cutaway.surgery.refusal import Refusal, must_still_work


class Misfit(BadInput):
    """An edit that the model does not take: number `at` of those given."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


def apply(model: Model, edits: Sequence[Edit]) -> Model:
    """Model, edits in order -> the edited Model; its card's "edits" holds them as JSON, "untrained" names the layers
    that need `heal`, "adapted" says what had to follow.

    Raises Misfit that names the edit which does not fit and why; Refusal where the network would no longer work.
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
            raise Misfit(f"{edit.sentence}: {error}", at) from None
        patient.done.append(edit)
        if edit.structural and first_break(patient) is None:
            blamed = None
        elif edit.structural and blamed is None:
            blamed = at
    if blamed is not None:
        must_still_work(patient, edits[blamed], blamed)
    return patient


def apply_or_tell_all(model: Model, edits: Sequence[Edit]) -> Model:
    """As `apply`; where several edits do not fit, BadInput tells of each, not of the first alone."""
    try:
        return apply(model, edits)
    except (Misfit, Refusal):
        told = misfits(model, edits)
        if len(told) < 2:
            raise
        raise BadInput(f"{len(told)} of the {len(edits)} edits do not fit. {' '.join(told)}") from None


def misfits(model: Model, edits: Sequence[Edit]) -> tuple[str, ...]:
    """Model, edits in order -> of each edit that does not fit, a sentence why; those that do are taken as made."""
    told: list[tuple[int, str]] = []
    left = list(enumerate(edits))
    while True:
        try:
            operated(model, [edit for _, edit in left])
        except (Misfit, Refusal) as error:
            number, _ = left.pop(error.at)
            told.append((number, str(error)))
        else:
            return tuple(sentence for _, sentence in sorted(told))
