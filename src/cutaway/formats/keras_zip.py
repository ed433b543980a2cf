"""Keras .keras files (Keras 2.12 and newer, Keras 3) -> Parts. The zip is read in memory; nothing is unpacked to disk.

Layout: config.json holds the network, model.weights.h5 its arrays under `layers/<snake_class>[_n]/vars/<i>`: layers are
numbered per class within their container, a nested model's lie under `layers/functional/layers/...`.
"""

from __future__ import annotations

import contextlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cutaway.errors import BadModel
from cutaway.formats import hdf5
from cutaway.formats.keras_calls import shown
from cutaway.formats.keras_parts import keras_parts
from cutaway.formats.keras_tree import Layer, model_json, parse_model, short_version
from cutaway.formats.keras_view import weights_only
from cutaway.formats.keras_weights import LayerPath, Stored
from cutaway.formats.parts import Parts

SIGNATURE = b"PK\x03\x04"
_CONFIG, _ABOUT, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MOST_MEMBERS = 10_000
_ALWAYS = 1_000_000
"""Bytes a member may have however small the file is."""
_MOST_ARRAYS = 16  # no layer of the list keeps more
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, KeyError),
    *(OverflowError, MemoryError),
)


def matches(head: bytes, path: Path) -> bool:
    """First bytes and path of a file -> whether it is a zip that holds a Keras model."""
    if not head.startswith(SIGNATURE):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist()[:_MOST_MEMBERS])
    except _DAMAGE:
        return False
    return _CONFIG in names and any(name.startswith("model.weights.") or name == _ABOUT for name in names)


def read(path: Path) -> Parts:
    """Path of a .keras file -> its Parts. Raises BadModel: damaged, unsafe, or a layer that is not on the list."""
    with _opened(path) as archive:
        document = model_json(_member(archive, _CONFIG, path), path.name)
        about = model_json(_member(archive, _ABOUT, path), path.name) if _holds(archive, _ABOUT) else {}
        if not _holds(archive, _WEIGHTS):
            raise BadModel(f"{path.name} holds a network but no {_WEIGHTS}.{_other_weights(archive)}")
        whole = _member(archive, _WEIGHTS, path)
    version = about.get("keras_version", "3") if isinstance(about, dict) else "3"
    major = 2 if isinstance(version, str) and version.startswith("2") else 3
    card = {"format": f"Keras {major} .keras", "producer": f"Keras {short_version(version)}"}
    with hdf5.opened(path, whole) as file:
        try:
            model = parse_model(document)
        except BadModel as error:
            with hdf5.damage_named(path.name):
                raise weights_only(hdf5.arrays(file), card["format"], str(error)) from None
        return keras_parts(model, _Weights(file, model, path.name, len(whole)), path, card, major)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            _must_be_safe(archive, path)
            yield archive
    except _DAMAGE as error:
        reason = shown(" ".join(str(error).split()) or type(error).__name__)
        raise BadModel(f"{path.name} is a damaged or truncated zip archive ({reason}).") from None


def _must_be_safe(archive: zipfile.ZipFile, path: Path) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(names) > _MOST_MEMBERS:
        raise BadModel(f"{path.name} holds {len(names)} members; at most {_MOST_MEMBERS} are accepted.")
    twice = next((name for name in (_CONFIG, _ABOUT, _WEIGHTS) if names.count(name) > 1), None)
    if twice:
        raise BadModel(f"{path.name} holds {twice} twice; nothing was read.")
    for member in members:
        parts = re.split(r"[\\/]", member.filename)
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            raise BadModel(
                f"{path.name} names a member outside its own folder ({shown(member.filename)}); nothing was read."
            )
        if member.flag_bits & 0x1:
            raise BadModel(f"{path.name} is encrypted ({shown(member.filename)}); save it without a password.")


def _holds(archive: zipfile.ZipFile, name: str) -> bool:
    return name in archive.NameToInfo


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """The member's bytes, after its claimed size was compared with the file's."""
    member = archive.getinfo(name)
    most = max(_ALWAYS, path.stat().st_size * hdf5.MOST_STRETCH)
    if member.file_size > most:
        raise BadModel(
            f"{path.name}: {name} claims {member.file_size:,} bytes, more than {most:,}, the most that is accepted "
            "for a file of its size."
        )
    return archive.read(member)


def _other_weights(archive: zipfile.ZipFile) -> str:
    found = [name for name in archive.namelist() if name.startswith("model.weights.")]
    if not found:
        return " Save the model again."
    return f" Its weights are kept as {shown(found[0])}, which is not read; save the model again without that option."


class _Weights:
    """Layer path -> arrays of `layers/.../vars`."""

    def __init__(self, file: Any, model: Layer, name: str, file_bytes: int) -> None:
        self._file = file
        self._name = name
        self._bytes = file_bytes
        self._budget = hdf5.Budget(name, file_bytes)
        with hdf5.damage_named(name):
            self._top = next((top for top in ("layers", _BEFORE_2_14) if hdf5.inside(file, top) is not None), "layers")
        self._places = dict(_places(model, self._top, ()))

    def __call__(self, path: LayerPath) -> Sequence[Stored]:
        if path not in self._places:
            return ()
        place = f"{self._places[path]}/vars"
        with hdf5.damage_named(self._name):
            group = hdf5.inside(self._file, place)
            names = [str(n) for n in range(min(len(group), _MOST_ARRAYS))] if group is not None else []
            found = [hdf5.stored(hdf5.inside(group, name), f"{place}/{name}", self._bytes) for name in names]
        return [self._budget.bounded(array) for array in found]


_BEFORE_2_14 = "_layer_checkpoint_dependencies"


def _places(container: Layer, top: str, path: LayerPath, where: str = "") -> Iterator[tuple[LayerPath, str]]:
    """Container -> (layer path, group in the file) of every layer below it."""
    used: dict[str, int] = {}
    for child in container.layers:
        if child.is_function:
            continue
        snake = snake_case(child.kind)
        used[snake] = used.get(snake, -1) + 1
        place = f"{where}{top}/{snake}_{used[snake]}" if used[snake] else f"{where}{top}/{snake}"
        yield (*path, child.name), place
        yield from _places(child, top, (*path, child.name), f"{place}/")


def snake_case(name: str) -> str:
    """Class name -> as Keras spells it in paths: "Conv2D" -> "conv2d", "ZeroPadding2D" -> "zero_padding2d"."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
