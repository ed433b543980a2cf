"""predict: photos in, classes with probabilities out."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from cutaway.events import Event, Progress
from cutaway.verbs.verb import Verb

BATCH = 32


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """Say what is on photos: the likeliest classes of each, with probabilities."""

    model: str
    """Run, its name under runs/, last, or any model file."""
    pictures: tuple[str, ...]
    """Photos, folders, archives, or sample:NAME."""
    top: int = 3
    """How many classes for each photo."""

    def __post_init__(self) -> None:
        from cutaway.errors import BadInput, must_be

        if self.top < 1:
            raise must_be("top", "at least 1", self.top)
        if not self.pictures:
            raise BadInput("Name at least one photo, folder or sample:NAME to predict.")


@dataclass(frozen=True, slots=True)
class Prediction:
    """One photo: its likeliest classes with probabilities in [0, 1], the first the likeliest; or why it has none."""

    name: str
    top: tuple[tuple[str, float], ...]
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        shown = [{"class": name, "probability": round(p, 6)} for name, p in self.top]
        return {"name": self.name, "top": shown, **({"error": self.error} if self.error else {})}


def _run(options: PredictOptions) -> Generator[Event, None, tuple[Prediction, ...]]:
    from cutaway.dataset.loose import open_pictures
    from cutaway.errors import BadInput, BadPicture
    from cutaway.image.fit import target_px
    from cutaway.verbs.find import find_model, made_now

    model = find_model(options.model)
    yield from made_now(options.model, model)
    if not model.classes:
        raise BadInput(f"{options.model} has no class names, so its answers would be bare numbers.")
    dataset = open_pictures(options.pictures)
    asked = target_px(model.contract)
    found: list[Prediction] = []
    for start in range(0, len(dataset), BATCH):
        pictures, names = [], []
        for index in range(start, min(start + BATCH, len(dataset))):
            name = dataset.samples[index].name
            try:
                pictures.append(dataset.read(index, asked))
                names.append(name)
                found.append(Prediction(name, ()))
            except BadPicture as error:
                found.append(Prediction(name, (), f"{error.code}: {error.detail}"))
        if pictures:
            rows = dict(zip(names, model.predict(pictures), strict=True))
            for position in range(start, len(found)):
                if found[position].name in rows and not found[position].error:
                    found[position] = Prediction(found[position].name, _top(rows[found[position].name], model, options))
        yield Progress("predict", len(found), len(dataset), "pictures")
    return tuple(found)


def _top(row: Any, model: Any, options: PredictOptions) -> tuple[tuple[str, float], ...]:
    order = (-row).argsort(kind="stable")[: options.top]
    return tuple((model.classes[i], float(row[i])) for i in order)


predict = Verb("predict", PredictOptions, _run)
