"""The desk: what an address means, what is kept, what is made anew when a file changes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import cutaway as ca
from cutaway.errors import BadInput, BadModel
from cutaway.studio.desk import Desk, Start, changed_picture
from cutaway.studio.schemas.about import About, PictureChange
from cutaway.verbs.find import find_model

NET = "zoo:tutorial-cifar"
EDIT = ({"edit": "scale_weights", "layer": "conv1", "factor": 0.5},)


def test_a_model_is_opened_once_and_anew_when_its_file_changes(tmp_path: Path) -> None:
    path = ca.save_model(find_model(NET), tmp_path / "net.safetensors")
    desk, about = Desk(), About(model=str(path))
    first = desk.base(about)
    assert desk.base(about) is first
    assert desk.model(about) is first
    assert desk.model(about.model_copy(update={"edits": EDIT})) is desk.model(About(model=str(path), edits=EDIT))
    os.utime(path, (1, 1))
    assert desk.base(about) is not first
    assert (desk.title(str(path)), desk.title(NET)) == ("net", "tutorial-cifar")


def test_an_edited_model_lies_in_a_file_that_verbs_open() -> None:
    desk, about = Desk(), About(model=NET, edits=EDIT)
    path = Path(desk.file_of(about))
    assert path.name == "tutorial-cifar-edited.safetensors"
    assert desk.file_of(about) == str(path)
    mine = ca.predict(str(path), ("sample:cat",))[0].top
    run = desk.run(about.model_copy(update={"picture": "sample:cat"}))
    assert mine[0][1] == pytest.approx(float(run.after.trace.output.softmax(1).max()), abs=1e-5)
    assert desk.file_of(About(model=NET)) == NET


def test_a_run_without_edits_is_the_same_before_and_after() -> None:
    desk = Desk()
    ran = desk.run(About(model=NET, picture="sample:cat"))
    assert ran.before is ran.after
    edited = desk.run(About(model=NET, picture="sample:cat", edits=EDIT))
    assert edited.before is ran.before
    assert "conv1" in edited.after.ran


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        ("", "No picture is chosen yet"),
        ("nowhere.png", "nowhere.png is no file or folder"),
        ("frame:0", "has been replaced"),
    ],
)
def test_a_picture_that_is_not_there_is_told(picture: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        Desk().picture(picture)


def test_several_pictures_are_not_one(tmp_path: Path) -> None:
    from cutaway.image.write import to_png

    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(to_png(np.zeros((4, 4, 3), np.uint8)))
    with pytest.raises(BadInput, match="holds 2; name one"):
        Desk().picture(str(tmp_path))


def test_what_the_studio_begins_with_is_opened_or_told(tmp_path: Path) -> None:
    Desk(Start(NET, "sample:cat", "digits")).begin()
    Desk().begin()
    Desk(Start(picture="sample:cat", data=str(tmp_path))).begin()
    for start, why in (
        (Start("nothing.h5"), "There is no model file"),
        (Start(NET, "x.png"), "x.png is no file"),
        (Start(data="x"), "x is no file"),
    ):
        with pytest.raises((BadInput, BadModel), match=why):
            Desk(start).begin()


def test_changes_of_the_picture_that_change_nothing_leave_it() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    still = (
        PictureChange(kind="rotate", amount=0),
        PictureChange(kind="zoom", amount=1),
        PictureChange(kind="brightness", amount=1),
    )
    assert (changed_picture(pixels, still) == pixels).all()
    assert (changed_picture(pixels, (PictureChange(kind="brightness", amount=0.5),)) <= pixels).all()
    with pytest.raises(BadInput):
        changed_picture(pixels, (PictureChange(kind="zoom", amount=0),))
