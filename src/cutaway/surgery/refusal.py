"""Refusal: an edit after which the network would not work, told with where it breaks and what would mend it."""

from __future__ import annotations

from cutaway.errors import BadInput
from cutaway.surgery.dry import Break, Shape, shape_text
from cutaway.surgery.edit import Edit
from cutaway.surgery.fits import first_break
from cutaway.surgery.patient import Patient
from cutaway.surgery.remedies import Remedy, remedies_for


class Refusal(BadInput):
    """The network would not work with this edit.

    Of several edits the first after which it never worked again is refused: `edit`, number `at` of them; `after` are
    those made after it. `layer`: the step where it breaks; `shapes`: what that gets, in the order of its inputs (no
    batch axis), from the steps `sources`.

    `remedies`: sentence and the edits to make in place of the refused one, each tried and found to work; the last
    leaves it out, and those after it (no edits). `Together` makes several edits one step of a history.
    """

    def __init__(
        self, edit: Edit, broken: Break, remedies: tuple[Remedy, ...], at: int = 0, after: tuple[Edit, ...] = ()
    ) -> None:
        super().__init__(_message(edit, broken, remedies, len(after)))
        self.edit = edit
        self.at = at
        self.after = after
        self.layer = broken.step
        self.reason = broken.kind
        self.sources: tuple[str, ...] = tuple(name for name, _ in broken.given)
        self.shapes: tuple[Shape, ...] = tuple(shape for _, shape in broken.given)
        self.remedies = remedies


def must_still_work(patient: Patient, edit: Edit, at: int | None = None) -> None:
    """Patient, the edit that may have broken it -> nothing. Raises Refusal where a step no longer fits what it gets.

    `at`: which of the patient's edits it is; None: one that was made on it just now.
    """
    broken = first_break(patient)
    if broken is None:
        return
    if at is None:
        at = len(patient.done)
        patient = patient.copied()
        patient.done.append(edit)
    raise Refusal(edit, broken, remedies_for(patient, at, broken), at, tuple(patient.done[at + 1 :]))


def _message(edit: Edit, broken: Break, remedies: tuple[Remedy, ...], others: int) -> str:
    mending = [sentence for sentence, edits in remedies if edits]
    out = "leave them out" if others else "leave it out"
    told = f"Also {', or '.join(mending)}; or {out}." if mending else f"Nothing near it mends that; {out}."
    after = f" (and {others} edit{'s' * (others > 1)} after it)" if others else ""
    return f"{edit.sentence}{after}: {told_break(broken)}. {told}"


def told_break(broken: Break) -> str:
    """ "add_1 gets 24 x 56 x 56 from conv2 and 24 x 28 x 28 from conv3; values that are added must be of one size"."""
    given = " and ".join(f"{shape_text(shape)} from {name}" for name, shape in broken.given)
    if broken.kind == "output":
        ((name, shape),) = broken.given
        return f"{name} would give {shape_text(shape)}; {broken.why}"
    return f"{broken.step} gets {given or 'nothing'}; {broken.why}"
