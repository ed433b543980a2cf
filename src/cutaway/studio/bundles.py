"""Model files that come as several, or in a zip -> one folder in the cache, since readers look for what belongs to a
model (the weights of a model.json, labels.txt) beside it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cutaway.dataset.places import writing
from cutaway.errors import BadInput
from cutaway.studio.uploads import MOST_BYTES, address_of, path_of, plain_name, uploads_folder

MOST_FILES = 64
# Endings that only models have, the likeliest first; model.json is TensorFlow.js', whose weights lie in .bin files.
ENDINGS = (".keras", ".h5", ".hdf5", ".onnx", ".pt2", ".safetensors", ".pt", ".pth", ".tflite")
_WITH_MODELS = (*ENDINGS, ".bin", ".txt", ".json", ".data")
_BROKEN = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError)
Named = tuple[str, Path]


def bundled(addresses: Sequence[str]) -> tuple[str, str, int]:
    """Addresses of files that were dropped together, or of one zip -> address of the model among them, its name, bytes
    of all. One file that is no zip of a model stays what it is.

    Raises BadInput where no model, or more than one, is among them.
    """
    files = [(Path(path_of(a)).name, Path(path_of(a))) for a in addresses]
    if len(files) == 1 and not _is_zip_of_model(files[0][1]):
        name, path = files[0]
        return addresses[0], name, path.stat().st_size
    with _unpacked(files) as found:
        name = _the_model(tuple(name for name, _ in found))
        return _kept(found, name)


def _kept(files: Sequence[Named], model: str) -> tuple[str, str, int]:
    """Files side by side in a folder that is named by what they are."""
    digest = hashlib.sha256()
    for name, path in sorted(files):
        with path.open("rb") as file:
            digest.update(f"{name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    size = sum(path.stat().st_size for _, path in files)
    target = uploads_folder() / digest.hexdigest()
    with writing(target.parent):
        if not (target / model).is_file():
            draft = Path(tempfile.mkdtemp(dir=uploads_folder(), prefix=".half-"))
            try:
                for name, path in files:
                    shutil.copyfile(path, draft / name)
                shutil.rmtree(target, ignore_errors=True)
                draft.replace(target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    return address_of(digest.hexdigest(), model), model, size


def _the_model(names: Sequence[str]) -> str:
    if any(name == "saved_model.pb" for name in names):
        raise BadInput(
            "This is a TensorFlow SavedModel, a folder of TensorFlow operations; export it from Keras as .keras or "
            ".h5, or convert it with tf2onnx, and drop that file."
        )
    models = [name for name in names if Path(name).suffix.lower() in ENDINGS or name == "model.json"]
    best = [name for name in models if not name.endswith(".json")] or models
    if len(best) == 1:
        return best[0]
    shown = ", ".join(sorted(best or names)[:6])
    if best:
        raise BadInput(f"There are {len(best)} models among these files ({shown}); drop one of them.")
    raise BadInput(f"No model is among these files ({shown}); a model ends in {', '.join(ENDINGS)} or is a model.json.")


def _is_zip_of_model(path: Path) -> bool:
    """Whether this is an archive around a model: .keras, .pt and .pt2 files are zips too, and models themselves."""
    return path.suffix.lower() == ".zip" and zipfile.is_zipfile(path) and bool(_members(path))


@contextmanager
def _unpacked(files: Sequence[Named]) -> Iterator[tuple[Named, ...]]:
    """Files, zips among them -> all as plain files, those out of a zip in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="cutaway-") as folder:
        found: list[Named] = []
        for name, path in files:
            if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path):
                found += _extracted(path, Path(folder))
            else:
                found.append((name, path))
        if len(found) > MOST_FILES:
            raise BadInput(f"These are {len(found)} files; a model has at most {MOST_FILES}.")
        if len({name for name, _ in found}) < len(found):
            raise BadInput("Two of these files have the same name; drop the files of one model.")
        yield tuple(found)


def _members(path: Path) -> list[zipfile.ZipInfo]:
    """What may belong to a model in a zip: by its ending, whatever folder it lies in."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [m for m in archive.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
    except _BROKEN:
        return []
    wanted = [m for m in found if Path(m.filename).suffix.lower() in _WITH_MODELS or _is_shard(m.filename)]
    models = [m for m in wanted if Path(m.filename).suffix.lower() in ENDINGS or Path(m.filename).name == "model.json"]
    return wanted if models else []


def _is_shard(name: str) -> bool:
    return ".bin" in Path(name).name or "shard" in Path(name).name


def _extracted(path: Path, folder: Path) -> list[Named]:
    """A zip -> its files by their last name, in `folder`; what is read is counted, not what the zip says of itself."""
    found: list[Named] = []
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            for member in _members(path)[: MOST_FILES + 1]:
                target = folder / f"{len(found)}"
                with archive.open(member) as source, target.open("wb") as file:
                    while chunk := source.read(1 << 20):
                        left -= len(chunk)
                        if left < 0:
                            raise BadInput(f"{path.name} holds more than {MOST_BYTES / 2**20:,.0f} MiB.")
                        file.write(chunk)
                found.append((plain_name(member.filename), target))
    except _BROKEN as error:
        raise BadInput(f"{path.name} is damaged ({error}); download or pack it again.") from None
    return found
