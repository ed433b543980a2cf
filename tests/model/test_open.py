"""open_model: a run folder, our file, another program's file, or a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cutaway.errors import BadModel
from cutaway.model import Model, open_model, save_model


def test_a_run_folder_is_its_model(make_model: Callable[..., Model], tmp_path: Path) -> None:
    save_model(make_model(), tmp_path / "model.safetensors")
    assert (
        open_model(tmp_path).classes == open_model(tmp_path / "model.safetensors").classes == ("cat", "dog", "hamster")
    )


def test_a_name_says_nothing(make_model: Callable[..., Model], tmp_path: Path) -> None:
    save_model(make_model(), tmp_path / "model.safetensors").rename(tmp_path / "photo.jpg")
    assert open_model(tmp_path / "photo.jpg").classes == ("cat", "dog", "hamster")


def test_a_run_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"holds no model\.safetensors; a run has one"):
        open_model(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"\x89PNG\r\n\x1a\n....", b"just text"])
def test_what_is_no_model_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(BadModel, match=r"m\.safetensors"):
        open_model(tmp_path / "m.safetensors")


def test_a_teachable_machine_model_opens(shared_data: Path) -> None:
    model = open_model(shared_data / "teachable-machine" / "animals-h5" / "keras_model.h5")
    assert model.contract.size == (224, 224)
    assert (model.contract.scale, model.contract.offset) == (2.0, -1.0)
