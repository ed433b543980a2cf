"""map: every photo of a data set laid out on a plane by what one layer of a network makes of it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.explanation.map_quality import MapQuality


@dataclass(frozen=True, slots=True)
class MapOptions:
    """Lay your photos out on a plane by what a layer makes of them: t-SNE, UMAP or PCA.

    Written are a page to walk about in (HTML, one file), a picture (PNG) and the table of places (Parquet). Maps of a
    layer are averaged over their places, one number for each channel; rows of numbers are taken as they are.
    """

    model: str
    """Run, its name under runs/, last, or any model file."""
    data: str
    """Photos: a folder, an archive, a table or a data set by name; labelled or not."""
    layer: str = "auto"
    """Name of a layer; auto: the last numbers before the layer that gives the answer."""
    method: Literal["tsne", "umap", "pca"] = "tsne"
    """tsne, umap (needs the extra umap) or pca."""
    fold: str = "auto"
    """train, val, test or all; auto: the test fold where the data or the run has one, else all."""
    most: int = 10_000
    """At most so many photos, drawn evenly."""
    perplexity: float = 30.0
    """t-SNE: about how many neighbours each photo counts; made smaller where there are not three times as many."""
    neighbours: int = 15
    """UMAP: how many neighbours each photo counts."""
    min_dist: float = 0.1
    """UMAP: how close photos may lie, from 0 to 1."""
    seed: int = 0
    """The same seed gives the same map, bit for bit."""
    threads: int | None = None
    """Processor threads for the network; default: all that torch takes."""
    out: str = ""
    """The page, .html; picture and table go beside it. Default map-MODEL.html in this folder."""

    def __post_init__(self) -> None:
        import math

        from cutaway.errors import must_be

        if self.method not in ("tsne", "umap", "pca"):
            raise must_be("method", "tsne, umap or pca", self.method)
        if self.fold not in ("auto", "all", "train", "val", "test"):
            raise must_be("fold", "auto, all, train, val or test", self.fold)
        if self.most < 5:
            raise must_be("most", "at least 5", self.most)
        if not (math.isfinite(self.perplexity) and self.perplexity >= 1):
            raise must_be("perplexity", "at least 1", self.perplexity)
        if self.neighbours < 2:
            raise must_be("neighbours", "at least 2", self.neighbours)
        if not 0 <= self.min_dist <= 1:
            raise must_be("min-dist", "between 0 and 1", self.min_dist)
        if not 0 <= self.seed < 2**32:
            raise must_be("seed", "between 0 and 4294967295", self.seed)
        if self.threads is not None and self.threads < 1:
            raise must_be("threads", "at least 1", self.threads)


@dataclass(frozen=True, slots=True)
class Stranger:
    """A photo whose label is not the one that most of its neighbours in the layer carry: `among`; `agree` is the share
    of them with its own label. The model's answer and its probability beside."""

    name: str
    label: str
    among: str
    agree: float
    predicted: str
    probability: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name, "label": self.label, "among": self.among, "agree": round(self.agree, 6),
            "predicted": self.predicted, "probability": round(self.probability, 6),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class MapResult:
    """What was mapped and how well (MapQuality); `numbers`: length of the layer's vector, `shape`: of its value.

    `wrong` of the `labelled` photos are named wrongly by the model, None where labels are not its classes.
    `strangers`: photos that lie among another class, the least at home first. The three files last.
    """

    model: str
    data: str
    fold: str
    layer: str
    shape: tuple[int, ...]
    numbers: int
    method: str
    settings: dict[str, Any]
    meaning: str
    pictures: int
    unreadable: tuple[tuple[str, str], ...]
    quality: MapQuality
    labelled: int
    wrong: int | None
    strangers: tuple[Stranger, ...]
    page: Path
    picture: Path
    table: Path
    page_bytes: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model, "data": self.data, "fold": self.fold, "layer": self.layer, "shape": list(self.shape),
            "numbers": self.numbers, "method": self.method, "settings": self.settings, "pictures": self.pictures,
            "unreadable": [{"name": name, "error": why} for name, why in self.unreadable],
            "quality": self.quality.to_dict(), "labelled": self.labelled, "wrong": self.wrong,
            "strangers": [stranger.to_dict() for stranger in self.strangers],
            "page": str(self.page), "picture": str(self.picture), "table": str(self.table),
            "page_bytes": self.page_bytes,
        }  # fmt: skip


def _run(options: MapOptions) -> Generator[Event, None, MapResult]:
    from cutaway.verbs.map_run import map_of

    return (yield from map_of(options))


map = Verb("map", MapOptions, _run)
