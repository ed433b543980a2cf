"""History: a list of edits with undo, redo, names and branches. Each operation gives another History."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cutaway.errors import BadInput
from cutaway.graph.digest import digest
from cutaway.model import Model
from cutaway.surgery.apply import apply_or_tell_all
from cutaway.surgery.edit import Edit, edit_of

FORMAT = "cutaway-edits-1"


@dataclass(frozen=True, slots=True)
class History:
    """`edits` are done, `undone` can be redone (the next one last), `branches` are named lists kept aside."""

    model: str
    """Digest of the model the edits were made on."""
    edits: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()
    branches: dict[str, tuple[Edit, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model, edits: Sequence[Edit] = ()) -> History:
        return cls(digest(model.graph), tuple(edits))

    def done(self, edit: Edit) -> History:
        """One edit more; what was undone is forgotten, as in any program."""
        return dataclasses.replace(self, edits=(*self.edits, edit), undone=())

    def undo(self) -> History:
        """One edit less. Raises BadInput where there is none."""
        if not self.edits:
            raise BadInput("There is nothing to undo.")
        return dataclasses.replace(self, edits=self.edits[:-1], undone=(*self.undone, self.edits[-1]))

    def redo(self) -> History:
        """The last undone edit again. Raises BadInput where there is none."""
        if not self.undone:
            raise BadInput("There is nothing to redo.")
        return dataclasses.replace(self, edits=(*self.edits, self.undone[-1]), undone=self.undone[:-1])

    def branched(self, name: str) -> History:
        """The edits so far kept under a name."""
        return dataclasses.replace(self, branches={**self.branches, name: self.edits})

    def on(self, name: str) -> History:
        """A kept branch as the edits. Raises BadInput where there is none of that name."""
        if name not in self.branches:
            raise BadInput(f"There is no branch {name!r}; there are {', '.join(self.branches) or 'none'}.")
        return dataclasses.replace(self, edits=self.branches[name], undone=())

    def replay(self, model: Model) -> Model:
        """The edits on a model. Raises BadInput: which edits do not fit it, and if so that it is another model."""
        try:
            return apply_or_tell_all(model, self.edits)
        except BadInput as error:
            if digest(model.graph) == self.model:
                raise
            raise BadInput(f"The edits were made on another model; this one does not take them all: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "model": self.model,
            "edits": [e.to_dict() for e in self.edits],
            "undone": [e.to_dict() for e in self.undone],
            "branches": {name: [e.to_dict() for e in edits] for name, edits in self.branches.items()},
        }

    def save(self, path: Path | str) -> Path:
        path = Path(path)
        path.write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")
        return path


def read_history(path: Path | str) -> History:
    """Path of a JSON file of edits -> History. Raises BadInput: no such file, not JSON, an edit that cannot be read."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path.name} is no JSON ({str(error)[:80]}).") from None
    return history_in(text, path.name)


def history_in(text: str, name: str) -> History:
    """Text of a file of edits, what to call it -> History. Raises BadInput as `read_history`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name} is no JSON ({str(error)[:80]}).") from None
    if isinstance(found, list):  # a bare list of edits, as a person writes it
        return History("", tuple(map(edit_of, found)))
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BadInput(f"{name} holds no edits of Cutaway (its format is not {FORMAT!r}).")
    return history_of(found)


def history_of(document: dict[str, Any]) -> History:
    """What `to_dict` gave -> History. Raises BadInput."""
    try:
        branches = {str(name): tuple(map(edit_of, edits)) for name, edits in document["branches"].items()}
        edits, undone = (tuple(map(edit_of, document[key])) for key in ("edits", "undone"))
        return History(str(document["model"]), edits, undone, branches)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"The list of edits is damaged ({type(error).__name__}: {error}).") from None
