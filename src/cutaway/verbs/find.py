"""What a person typed for a model -> the Model, the file it lies in, and the run that made it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cutaway.errors import BadInput, CutawayError
from cutaway.events import Note
from cutaway.formats.parts import OnlyView
from cutaway.formats.table import is_tfjs_folder
from cutaway.model import Model, open_model
from cutaway.training.run_folder import RunFolder, find_run
from cutaway.verbs.model_name import AS, ZOO, named_network

if TYPE_CHECKING:
    from cutaway.zoo.sources import Source

_ENDINGS = (".h5", ".keras", ".onnx", ".pt", ".pth", ".pt2", ".safetensors", ".tflite")
_IN_FOLDERS = ("model.safetensors", "saved_model.pb", "model.json")


def find_model(typed: str) -> Model:
    """Model file, as:NETWORK:FILE, run folder, run name, "last" or zoo:NAME -> Model. Raises BadInput, BadModel;
    OnlyView, with what can be done, for a file that only shows.
    """
    if typed.startswith(ZOO):
        return zoo_model(typed.removeprefix(ZOO))
    try:
        return open_model(file_of(typed), network=named_network(typed)[0])
    except OnlyView as only:
        advice = f"This asks for a network that runs; `cutaway open {shlex.quote(typed)}` lists what is in the file."
        raise OnlyView(only.view, advice) from None


def made_now(typed: str, model: Model) -> Iterator[Note]:
    """What was typed, its Model -> a Note where nobody has trained it, so that its answers are not read as learned."""
    if typed.startswith(ZOO) and model.card.get("weights") == "random":
        yield Note(f"{typed} was made now: its weights are random, nothing was learned.")


def file_of(typed: str) -> Path:
    """What `find_model` takes, zoo:NAME apart -> the path that `open_model` takes. Raises BadInput."""
    if typed.startswith(AS):
        network, typed = named_network(typed)
        if not (network and typed):
            raise BadInput(f"{AS}NETWORK:FILE takes a network's name and a file of weights; name both.")
    path = Path(typed)
    if path.is_file() or path.suffix:  # one that is not there is told by its own sentence
        return path
    if any((path / name).exists() for name in _IN_FOLDERS) or (path.is_dir() and is_tfjs_folder(path)):
        return path
    try:
        return find_run(typed).path
    except BadInput as none:
        if path.is_dir():
            raise BadInput(_no_model_in(path)) from None
        if _is_network(typed):
            raise BadInput(f"{none} {ZOO}{typed} is the network of this name, untrained.") from None
        raise


def _is_network(typed: str) -> bool:
    from cutaway.zoo.names import meaning
    from cutaway.zoo.sources import source_of

    try:
        return bool(source_of(meaning(typed)))
    except CutawayError:
        return False


def _no_model_in(folder: Path) -> str:
    """A folder that is no run -> a sentence with the model files in it that could be meant."""
    try:
        names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in _ENDINGS)
    except OSError:
        names = []
    there = f"give a file in it: {', '.join(names[:4])}" if names else "give a model file, or the folder of a run"
    return f"{folder} is a folder, not a model; {there}."


def run_of(typed: str) -> RunFolder | None:
    """What `find_model` takes -> the run folder it lies in, None where it is a file of its own."""
    if typed.startswith(ZOO):
        return None
    path = Path(named_network(typed)[1])
    beside = RunFolder(path.parent if path.is_file() else path)
    if beside.config.exists():
        return beside
    if path.is_file() or path.suffix or (path.is_dir() and is_tfjs_folder(path)):
        return None
    return find_run(typed)


def zoo_model(name: str) -> Model:
    """Name of a network -> a Model with random weights, always the same; with a tag (resnet18.IMAGENET1K_V1) the
    published ones.

    Raises BadInput (no such network, with the nearest names), Offline (published weights that cannot be fetched).
    """
    import torch

    from cutaway.zoo import build
    from cutaway.zoo.names import meaning
    from cutaway.zoo.sources import source_of

    meant = meaning(name)
    if meant.tag:
        made = build(name, classes=(), pretrained=True)
        return Model(made.graph, made.contract, made.classes, made.probabilities, dict(made.card))
    source = source_of(meant)
    published = source.published_classes()
    numbered = tuple(f"class {n}" for n in range(len(published) or _published_count(source)))
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        made = build(name, classes=numbered)
    return Model(made.graph, made.contract, published or numbered, made.probabilities, dict(made.card))


def _published_count(source: Source) -> int:
    """How many classes a network has whose class names are not known."""
    plain, config = getattr(source, "plain", None), getattr(source, "config", None)
    return int(plain.classes if plain else getattr(config, "num_classes", 0) or 1000)
