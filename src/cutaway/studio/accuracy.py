"""What edits do to accuracy on own photos: as `cutaway effect` measures it, with thumbnails of what flipped."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutaway.errors import BadInput
from cutaway.events import Event

if TYPE_CHECKING:
    from cutaway.model import Model
    from cutaway.surgery.effect_data import DataEffect

MOST_SHOWN = 24
SIDE = 128


@dataclass(frozen=True, slots=True)
class Accuracy:
    """`edits`: what was made of the model. `thumbnails`: JPEG files of the first flips, in their order."""

    effect: DataEffect
    edits: tuple[dict[str, Any], ...]
    thumbnails: tuple[Path, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.effect.to_dict(),
            "edits": list(self.edits),
            "thumbnails": [str(path) for path in self.thumbnails],
        }


def accuracy(
    before: Model, after: Model, edits: tuple[dict[str, Any], ...], data: str, fold: str, folder: Path
) -> Generator[Event, None, Accuracy]:
    """Two models and the edits between them, labelled photos, where thumbnails go -> Accuracy.

    Raises BadInput for what holds no photos.
    """
    import numpy as np

    from cutaway.image.write import thumbnail
    from cutaway.verbs.effect_run import on_data, photos_for

    found, before = photos_for(data, before, after)
    if not len(found[0]):
        raise BadInput(f"{data} holds no photos; name a folder of them, one folder for each class.")
    told, photos = yield from on_data(data, found, fold, before, after)
    place = {name: i for i, name in enumerate(photos.names)}
    shown = np.array([place[flip.name] for flip in told.flips[:MOST_SHOWN]], np.int64)
    files = []
    if len(shown):
        for i, pixels in enumerate(photos.rows([before.contract])[before.contract](shown)):
            files.append(folder / f"flip-{i}.jpg")
            files[-1].write_bytes(thumbnail(pixels, SIDE))
    return Accuracy(told, edits, tuple(files))
