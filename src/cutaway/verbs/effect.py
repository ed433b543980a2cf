"""effect: what an edit does, layer by layer on a picture, and in accuracy and flipped photos on a data set."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Done, Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.image import Image
    from cutaway.model import Model
    from cutaway.surgery.effect import Effect, LayerEffect
    from cutaway.surgery.effect_data import DataEffect


@dataclass(frozen=True, slots=True)
class EffectOptions:
    """See what an edit does: layer by layer on a photo; accuracy, loss and photos with another answer on a data set."""

    model: str
    """Run, its name under runs/, last, or any model file."""
    edited: str
    """The edited model, as `cutaway edit` writes it; any model of the same origin."""
    pictures: tuple[str, ...]
    """Photos, sample:NAME, or data sets: folders, archives, tables, names."""
    layers: str = ""
    """Layers to draw: names separated by commas, a family (conv, activation, ...), or all; default a telling few."""
    fold: str = "auto"
    """Of data sets: train, val, test or all; auto: the test fold where there is one, else all."""
    out: str = ""
    """The page, .png or .svg; default effect-EDITED.png in this folder."""

    def __post_init__(self) -> None:
        from cutaway.errors import BadInput, must_be

        if self.fold not in ("auto", "all", "train", "val", "test"):
            raise must_be("fold", "auto, all, train, val or test", self.fold)
        if not self.pictures:
            raise BadInput("Name at least one photo or data set to see the effect on.")


@dataclass(frozen=True, slots=True)
class EffectResult:
    """`pictures`: the effect on each single photo; `data`: on each data set; `path`: the page, None where none was
    asked for; `edits`: the edits in words, as the edited model's card holds them."""

    model: str
    edited: str
    edits: tuple[str, ...]
    pictures: tuple[Effect, ...]
    data: tuple[DataEffect, ...]
    path: Path | None
    unreadable: tuple[tuple[str, str], ...] = ()

    @property
    def changed(self) -> tuple[LayerEffect, ...]:
        """Layers whose values or shapes are others than before, on the first photo; () without one."""
        return self.pictures[0].changed if self.pictures else ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model, "edited": self.edited, "edits": list(self.edits),
            "pictures": [p.to_dict() for p in self.pictures], "data": [d.to_dict() for d in self.data],
            "path": None if self.path is None else str(self.path),
            "unreadable": [{"name": name, "error": why} for name, why in self.unreadable],
        }  # fmt: skip


class EffectVerb(Verb[..., EffectResult]):
    """`effect(model, edited, *pictures)`: each a name as typed, a Model, an Image."""

    __slots__ = ()

    def __call__(
        self,
        model: Model | str,
        edited: Model | str,
        *photos: Image | str | Sequence[str],
        pictures: Sequence[str | Image] = (),
        layers: str = "",
        fold: str = "auto",
        out: str = "",
    ) -> EffectResult:
        """Model, edited model, photos or data sets -> EffectResult.

        Where everything is named by text this is what the command line does, page included; with a Model or an Image
        a page is drawn only where `out` says so. Raises BadInput, BadModel.
        """
        names: list[Image | str] = []
        for one in (*photos, pictures):
            names += one if isinstance(one, list | tuple) else [one]  # type: ignore[list-item]
        asked = {"layers": layers, "fold": fold, "out": out}
        if isinstance(model, str) and isinstance(edited, str) and all(isinstance(p, str) for p in names):
            return super().__call__(model, edited, tuple(names), **asked)
        from cutaway.verbs.effect_run import effect_of
        from cutaway.verbs.find import find_model
        from cutaway.verbs.picture_file import picture_file

        options = EffectOptions("model", "edited", tuple(str(p) for p in names), **asked)
        path = picture_file(out, "effect", "model") if out else None
        two = [find_model(m) if isinstance(m, str) else m for m in (model, edited)]
        for event in _done(effect_of(options, two[0], two[1], names, path)):
            if isinstance(event, Done):
                result: EffectResult = event.result
        return result


def _done(work: Generator[Event, None, EffectResult]) -> Generator[Event | Done[EffectResult], None, None]:
    yield Done((yield from work))


def _run(options: EffectOptions) -> Generator[Event, None, EffectResult]:
    from cutaway.verbs.effect_run import effect_of
    from cutaway.verbs.find import find_model
    from cutaway.verbs.picture_file import picture_file

    path = picture_file(options.out, "effect", options.edited)
    before, after = find_model(options.model), find_model(options.edited)
    return (yield from effect_of(options, before, after, options.pictures, path))


effect = EffectVerb("effect", EffectOptions, _run)
