"""Safetensors files: what safetensors gives, timm's config.json beside it, damage told."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from cutaway.errors import BadModel
from cutaway.formats import read_model_file
from cutaway.formats.parts import BareWeights
from cutaway.image import InputContract

STATE = {"conv.weight": torch.arange(27.0).view(1, 3, 3, 3), "conv.bias": torch.ones(1, dtype=torch.float16)}
TIMM = {
    "architecture": "lcnet_050",
    "pretrained_cfg": {
        "input_size": [3, 96, 128],
        "crop_pct": 0.9,
        "interpolation": "bilinear",
        "crop_mode": "squash",
        "mean": [0.1, 0.2, 0.3],
        "std": [0.5, 0.5, 0.25],
        "label_names": ["n1", "n2"],
    },
    "label_descriptions": {"n1": "cat", "n2": "dog"},
}


def opened(folder: Path, state: Any = STATE, config: Any = None, **metadata: str) -> BareWeights:
    path = folder / "model.safetensors"
    save_file(state, path, metadata=metadata or None)
    if config is not None:
        (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    found = read_model_file(path)
    assert isinstance(found, BareWeights)
    return found


def test_the_weights_are_those_of_the_file(tmp_path: Path) -> None:
    found = opened(tmp_path, format="pt")
    wanted = load_file(tmp_path / "model.safetensors")
    assert set(found.tensors) == set(wanted)
    assert all(torch.equal(found.tensors[k], wanted[k]) for k in wanted)
    assert found.card == {"format": "safetensors weights", "producer": "pt", "notes": ""}
    assert found.contract is None


def test_timms_config_says_network_input_and_classes(tmp_path: Path) -> None:
    found = opened(tmp_path, config=TIMM)
    assert found.contract == InputContract(
        (96, 128), "squash", 0.9, "bilinear", mean=(0.1, 0.2, 0.3), std=(0.5, 0.5, 0.25)
    )
    assert found.classes == ("cat", "dog")
    assert found.card["architecture"] == "lcnet_050"
    assert "as config.json beside the file says" in found.card["notes"]


@pytest.mark.parametrize(
    "change",
    [
        {"input_size": [3, 0, 10]},
        {"input_size": [4, 9, 9]},
        {"input_size": "x"},
        {"mean": [1, 2]},
        {"std": [0, 1, 1]},
        {"std": [float("nan"), 1, 1]},
        {"crop_pct": 0},
        {"crop_pct": "all"},
        {"mean": [True, 0, 0]},
    ],
)
def test_a_garbled_config_gives_no_contract(tmp_path: Path, change: dict[str, Any]) -> None:
    config = {**TIMM, "pretrained_cfg": {**TIMM["pretrained_cfg"], **change}}  # type: ignore[dict-item]
    assert opened(tmp_path, config=config).contract is None


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000, '{"model_type": "bert"}'])
def test_another_config_is_passed_over(tmp_path: Path, text: str) -> None:
    found = opened(tmp_path, config=text)
    assert (found.contract, found.classes) == (None, ())


def test_a_config_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutaway.formats.safetensors_file._MOST_CONFIG", 10)
    assert "has more than 10 bytes and was not read" in opened(tmp_path, config=TIMM).card["notes"]


def test_a_file_without_weights_and_a_damaged_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="is a safetensors file that holds no weights"):
        opened(tmp_path, state={})
    path = tmp_path / "model.safetensors"
    save_file(STATE, path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(BadModel, match=r"model\.safetensors is not a readable safetensors file"):
        read_model_file(path)


def test_damage_anywhere_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(STATE, path)
    data, rng, refused = path.read_bytes(), random.Random(0), 0
    for _ in range(500):
        changed = bytearray(data)
        changed[rng.randrange(200)] = rng.randrange(256)
        if rng.random() < 0.2:
            del changed[rng.randrange(9, len(changed)) :]
        path.write_bytes(bytes(changed))
        try:
            read_model_file(path)
        except BadModel:
            refused += 1
    assert refused > 50
