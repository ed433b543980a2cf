"""separability: how well the classes lie apart, layer by layer, from the picture to the answer."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.explanation.separability import Separation


@dataclass(frozen=True, slots=True)
class SeparabilityOptions:
    """See layer by layer how well your classes lie apart: by nearest neighbours and by a linear classifier.

    Each layer's maps are averaged over their places, one number for each channel. Every photo is answered by photos of
    other folds: the 5 nearest (cosine), and logistic regression on standardised numbers (5-fold cross-validation).
    """

    model: str
    """Run, its name under runs/, last, or any model file."""
    data: str
    """Labelled photos: a folder, an archive, a table or a data set by name; any classes."""
    layer: str = ""
    """Names separated by commas, a kind (relu), a family (conv) or all; default every activation."""
    most_layers: int = 25
    """At most so many layers, spread evenly over the depth; the picture's mean colour and the answer come on top."""
    fold: str = "auto"
    """train, val, test or all; auto: the test fold where the data or the run has one, else all."""
    most: int = 2000
    """At most so many photos, drawn evenly."""
    seed: int = 0
    """Which photos share a fold of the cross-validation."""
    threads: int | None = None
    """Processor threads for the network; default: all that torch takes."""
    out: str = ""
    """The curve, .svg; default separability-MODEL.svg in this folder."""

    def __post_init__(self) -> None:
        from cutaway.errors import must_be

        if self.fold not in ("auto", "all", "train", "val", "test"):
            raise must_be("fold", "auto, all, train, val or test", self.fold)
        if self.most_layers < 2:
            raise must_be("most-layers", "at least 2", self.most_layers)
        if self.most < 10:
            raise must_be("most", "at least 10", self.most)
        if not 0 <= self.seed < 2**32:
            raise must_be("seed", "between 0 and 4294967295", self.seed)
        if self.threads is not None and self.threads < 1:
            raise must_be("threads", "at least 1", self.threads)


@dataclass(frozen=True, slots=True)
class SeparableLayer:
    """One layer: how deep it lies in [0, 1] (its step of all steps), and what its numbers tell apart."""

    name: str
    kind: str
    shape: tuple[int, ...]
    depth: float
    found: Separation

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name, "kind": self.kind, "shape": list(self.shape), "depth": round(self.depth, 6),
            **self.found.to_dict(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeparabilityResult:
    """Layers in running order over `pictures` photos of `classes`; `majority`: share of the largest class.

    `model_right`: photos that the model itself names rightly, None where the labels are not its classes. `left_out`:
    classes with fewer photos than folds.
    """

    model: str
    data: str
    fold: str
    pictures: int
    unreadable: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]
    left_out: tuple[str, ...]
    majority: float
    model_right: int | None
    folds: int
    k: int
    layers: tuple[SeparableLayer, ...]
    path: Path

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model, "data": self.data, "fold": self.fold, "pictures": self.pictures,
            "unreadable": [{"name": name, "error": why} for name, why in self.unreadable],
            "classes": list(self.classes), "left_out": list(self.left_out), "majority": round(self.majority, 6),
            "model_right": self.model_right, "folds": self.folds, "k": self.k,
            "layers": [layer.to_dict() for layer in self.layers], "path": str(self.path),
        }  # fmt: skip


def _run(options: SeparabilityOptions) -> Generator[Event, None, SeparabilityResult]:
    from cutaway.verbs.separability_run import separability_of

    return (yield from separability_of(options))


separability = Verb("separability", SeparabilityOptions, _run)
