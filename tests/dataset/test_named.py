from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cutaway.dataset.arrays import ArrayStore
from cutaway.dataset.named import dataset_names, open_named
from cutaway.dataset.scan import open_dataset
from cutaway.errors import BadInput, Offline


def test_digits_are_scikit_learns_and_need_no_network(cache: Path) -> None:
    data = open_dataset("digits")
    images, labels = load_digits(return_X_y=True)
    assert data.classes == tuple("0123456789")
    assert data.labels == tuple(labels)
    grey = images[7].reshape(8, 8)
    assert np.array_equal(data.read(7).pixels[..., 1], np.rint(grey * 255 / 16).astype(np.uint8))
    assert (cache / "named").is_dir()
    again = open_dataset("digits")
    assert again.store == data.store
    assert again.samples == data.samples


def test_faces_are_a_hundred_faces_and_a_hundred_others() -> None:
    data = open_dataset("faces")
    assert (data.classes, len(data)) == (("face", "not-face"), 200)
    assert data.labels == (0,) * 100 + (1,) * 100
    picture = data.read(3)
    assert picture.pixels.shape == (25, 25, 3)
    assert picture.pixels.std() > 20
    assert picture.sha256 != data.read(4).sha256
    assert data.samples[3].name == "faces[3]"


def test_a_half_written_copy_is_not_taken_for_whole(cache: Path) -> None:
    data = open_dataset("faces")
    assert isinstance(data.store, ArrayStore)
    assert not [p for p in (cache / "named").iterdir() if p.name.startswith(".")]


class Fake:
    """Looks like a torchvision data set with channels first, as SVHN's."""

    classes = ("up", "down")

    def __init__(self, root: str, train: bool = True, download: bool = False) -> None:
        assert download, root
        self.data = np.full((4 if train else 2, 3, 5, 6), 7, np.uint8)
        self.data[:, 2] = 9
        self.labels = [0, 1, 0, 1][: len(self.data)]


def test_what_torchvision_gives_becomes_train_and_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torchvision.datasets

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", Fake)
    data = open_named("cifar10", tmp_path)
    assert (data.classes, [s.fold for s in data.samples]) == (("up", "down"), ["train"] * 4 + ["test"] * 2)
    assert data.samples[-1].name == "test[1]"
    assert data.read(5).pixels.shape == (5, 6, 3)
    assert data.read(5).pixels[0, 0].tolist() == [7, 7, 9]


def unplugged(*_: Any, **__: Any) -> Any:
    raise urllib.error.URLError("no route")


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "mnist", "fashion-mnist", "kmnist", "usps", "svhn"])
def test_without_a_network_one_sentence_says_what_to_do(
    name: str, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", unplugged)
    wanted = rf"{name} must be downloaded once and the network did not answer \(.*no route.*copy .* into {cache}"
    with pytest.raises(Offline, match=wanted):
        open_dataset(name)
    assert not (cache / "named").exists() or not list((cache / "named").iterdir())


def test_a_download_with_a_wrong_digest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets

    def corrupted(*_: Any, **__: Any) -> Any:
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", corrupted)
    with pytest.raises(BadInput, match=r"A downloaded file of cifar10 does not have the digest .* delete it from"):
        open_dataset("cifar10")


def test_a_full_disk_is_not_taken_for_a_missing_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", full)
    with pytest.raises(BadInput, match=r"The disk of the cache folder .*downloads is full"):
        open_dataset("cifar10")


def test_an_unknown_name() -> None:
    assert dataset_names()[:2] == ("digits", "faces")
    with pytest.raises(BadInput, match="'imagenet' is no data set that Cutaway knows by name; known are digits, faces"):
        open_named("imagenet")
