"""Data sets by name: digits and faces come inside scikit-learn and scikit-image, the others torchvision downloads."""

from __future__ import annotations

import importlib.metadata
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.dataset.arrays import Part, Pixels, keep, open_kept
from cutaway.dataset.places import CLOSED, FULL, cache_folder, writing
from cutaway.dataset.samples import Dataset
from cutaway.errors import BadInput, Offline

TEN = tuple("0123456789")
KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
PATIENCE = 30.0
"""Seconds without a byte after which a download counts as not answered."""
Contents = tuple[list[Part], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Download:
    """A data set of torchvision: its class there, what is downloaded, class names (None: it has them itself)."""

    source: str
    files: str
    classes: tuple[str, ...] | None = None
    by_split: bool = False


def open_named(name: str, folder: Path | None = None) -> Dataset:
    """Name of a data set -> Dataset; downloaded and unpacked once into `folder` (the cache folder).

    Raises BadInput for an unknown name or a damaged download, Offline when a download is needed and nobody answers.
    """
    if name not in dataset_names():
        raise BadInput(f"{name!r} is no data set that Cutaway knows by name; known are {', '.join(dataset_names())}.")
    library = EMBEDDED[name][0] if name in EMBEDDED else "torchvision"
    home = folder or cache_folder()
    kept = home / "named" / f"{name}-{library}-{importlib.metadata.version(library)}"
    if (opened := open_kept(name, kept)) is not None:
        return opened
    parts, classes = EMBEDDED[name][1]() if name in EMBEDDED else _download(name, home / "downloads")
    keep(kept, parts, classes)
    made = open_kept(name, kept)
    assert made is not None, "keep() has written it or raised"
    return made


def dataset_names() -> tuple[str, ...]:
    """() -> the names that `open_named` knows; the first two work without a network."""
    return (*EMBEDDED, *DOWNLOADED)


def _digits() -> Contents:
    """Scikit-learn's 1,797 handwritten digits, 8 x 8, grey values 0-16 spread over 0-255."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return [Part(None, _to_bytes(images.reshape(-1, 8, 8) / 16), labels.tolist())], TEN


def _faces() -> Contents:
    """scikit-image's 200 crops of 25 x 25 from Labeled Faces in the Wild: 100 faces, then 100 pieces of background."""
    from skimage.data import lfw_subset

    images = lfw_subset()  # type: ignore[no-untyped-call]
    return [Part(None, _to_bytes(images), [0] * 100 + [1] * 100)], ("face", "not-face")


def _to_bytes(shares: Any) -> Pixels:
    """Grey values in [0, 1] -> uint8."""
    pixels: Pixels = np.rint(np.asarray(shares) * 255).astype(np.uint8)
    return pixels


def _download(name: str, downloads: Path) -> Contents:
    """Name, folder -> train and test as torchvision gives them, which compares every download with its digest."""
    import torchvision.datasets

    known = DOWNLOADED[name]
    source = getattr(torchvision.datasets, known.source)
    parts, classes = [], known.classes
    with writing(downloads), _answered(name, known, downloads):
        for fold in ("train", "test"):
            which = {"split": fold} if known.by_split else {"train": fold == "train"}
            held = source(str(downloads), download=True, **which)
            labels = held.targets if hasattr(held, "targets") else held.labels
            parts.append(Part("train" if fold == "train" else "test", _rows_last(held.data), [int(x) for x in labels]))
            classes = classes or tuple(held.classes)
    return parts, classes or ()


def _rows_last(data: Any) -> Pixels:
    """uint8 (N, 3, H, W) -> (N, H, W, 3); other shapes as they are."""
    pixels = np.asarray(data)
    turned = pixels.transpose(0, 2, 3, 1) if pixels.ndim == 4 and pixels.shape[1] == 3 else pixels
    return np.ascontiguousarray(turned, dtype=np.uint8)


@contextmanager
def _answered(name: str, known: Download, downloads: Path) -> Iterator[None]:
    """Turns what torchvision raises for a missing network or a wrong digest into one sentence."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno in FULL | CLOSED:
            raise
        said = " ".join(str(error).split())
        reason = re.search(r"<urlopen error .*?>", said)  # what every mirror of a list answered, once
        detail = (reason.group() if reason else said[:200]) or type(error).__name__
        if "corrupted" in detail:
            raise BadInput(
                f"A downloaded file of {name} does not have the digest that torchvision expects; delete it from "
                f"{downloads} and try again."
            ) from error
        raise Offline(
            f"{name} must be downloaded once and the network did not answer ({detail}); connect and try again, or copy "
            f"{known.files} into {downloads}. digits and faces need no network."
        ) from error
    finally:
        socket.setdefaulttimeout(before)


EMBEDDED: dict[str, tuple[str, Callable[[], Contents]]] = {
    "digits": ("scikit-learn", _digits),
    "faces": ("scikit-image", _faces),
}
DOWNLOADED = {
    "cifar10": Download("CIFAR10", "cifar-10-python.tar.gz"),
    "cifar100": Download("CIFAR100", "cifar-100-python.tar.gz"),
    "mnist": Download("MNIST", "MNIST/raw with its four idx files", TEN),
    "fashion-mnist": Download("FashionMNIST", "FashionMNIST/raw with its four idx files"),
    "kmnist": Download("KMNIST", "KMNIST/raw with its four idx files", KUZUSHIJI),
    "usps": Download("USPS", "usps.bz2 and usps.t.bz2", TEN),
    "svhn": Download("SVHN", "train_32x32.mat and test_32x32.mat", TEN, by_split=True),
}
