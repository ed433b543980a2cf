"""An error of the core -> what the page is told, and the status that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutaway.errors import BadInput, BadModel, BadPicture, CutawayError, MissingExtra, Offline, Stopped
from cutaway.studio.schemas.about import Remedy, Told
from cutaway.studio.uploads import as_dropped

if TYPE_CHECKING:
    from cutaway.surgery.edit import Edit

_KINDS = (
    (BadInput, "input"), (BadPicture, "picture"), (BadModel, "model"), (MissingExtra, "missing-extra"),
    (Offline, "offline"), (Stopped, "stopped"),
)  # fmt: skip


def told(error: CutawayError) -> Told:
    """Error -> kind and sentence; of a refused edit also the layer where it breaks and the remedies that were tried."""
    from cutaway.surgery.refusal import Refusal  # brings torch, which the first page does not need

    if not isinstance(error, Refusal):
        kind = next((name for cls, name in _KINDS if isinstance(error, cls)), "trouble")
        return Told(kind=kind, message=as_dropped(_sentence(error)))
    remedies = tuple(Remedy(sentence=words, edits=_one_step(edits)) for words, edits in error.remedies)
    return Told(kind="refusal", message=str(error), layer=error.layer, at=error.at, remedies=remedies)


def _sentence(error: CutawayError) -> str:
    if not isinstance(error, BadPicture):
        return str(error)
    from cutaway.dataset.check_files import WHY

    return f"{error.name} {WHY.get(error.code, error.code)} ({error.detail})"


def _one_step(edits: tuple[Edit, ...]) -> tuple[dict[str, Any], ...]:
    """Edits of a remedy: only what comes out of all of them has to work, and they are undone together."""
    found = tuple(edit.to_dict() for edit in edits)
    return found if len(found) < 2 else ({"edit": "together", "edits": list(found)},)
