"""What the page is told of an error: its kind, its sentence, and of a refused edit what would mend it."""

from __future__ import annotations

import pytest

from cutaway.errors import BadInput, BadModel, BadPicture, CutawayError, MissingExtra, Offline, Stopped
from cutaway.studio.told import told
from cutaway.studio.uploads import uploads_folder
from cutaway.surgery.refusal import Refusal


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadInput("a"), "input"), (BadModel("a"), "model"),
        (MissingExtra("x", "y"), "missing-extra"), (Offline("a"), "offline"), (Stopped("a"), "stopped"),
        (CutawayError("a"), "trouble"),
    ],
)  # fmt: skip
def test_every_error_has_its_kind_and_its_sentence(error: CutawayError, kind: str) -> None:
    found = told(error)
    assert (found.kind, found.message, found.layer, found.remedies) == (kind, str(error), "", ())


def test_a_dropped_file_that_is_no_picture_goes_by_its_name() -> None:
    kept = uploads_folder() / ("0" * 64) / "notes.jpg"
    found = told(BadPicture(str(kept), "not-an-image", "its content is none of JPEG"))
    assert found.kind == "picture"
    assert found.message == "notes.jpg is not a picture, whatever its ending says (its content is none of JPEG)"
    assert told(BadPicture("/photos/a.png", "empty", "0 bytes")).message == "/photos/a.png is empty (0 bytes)"


def test_a_refused_edit_names_its_layer_and_the_remedies() -> None:
    from cutaway.studio.desk import Desk
    from cutaway.studio.schemas.about import About

    edits = ({"edit": "remove", "layer": "pool1"},)
    with pytest.raises(Refusal) as refused:
        Desk().model(About(model="zoo:tutorial-cifar", edits=edits))
    found = told(refused.value)
    assert (found.kind, found.message, found.layer) == ("refusal", str(refused.value), refused.value.layer)
    assert [one.sentence for one in found.remedies] == [sentence for sentence, _ in refused.value.remedies]
    assert all("edit" in edit for one in found.remedies for edit in one.edits)
