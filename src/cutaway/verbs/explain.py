"""explain: where in a picture an answer comes from, by several methods, each with what was measured of it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Done, Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from cutaway.explanation.explanation import Explanation
    from cutaway.image import Image
    from cutaway.model import Model


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """See where in a photo an answer comes from, by one method or several, each with checks that say what it is worth.

    Whoever names no method gets a telling few. Ctrl-C keeps the explanations that are done.
    """

    model: str
    """Run, its name under runs/, last, or any model file."""
    pictures: tuple[str, ...]
    """Photos, sample:NAME; of a folder or archive the first 8."""
    method: tuple[str, ...] = ()
    """Methods such as gradcam,ig,occlusion, or once for each; a name that is not there lists them all."""
    all: bool = False
    """Every method that is installed and possible on this model; the slow ones take minutes."""
    target: tuple[str, ...] = ()
    """Classes to explain, by name or number, once for each; default the likeliest of each photo."""
    against: str = ""
    """Explain the target rather than this class: "why dog and not cat"; alone: the likeliest other class."""
    layer: str = ""
    """The step whose maps are weighed, for the methods that have one (gradcam, ...); default by size of its maps."""
    set: tuple[str, ...] = ()
    """A setting of the methods, samples=50, or of one, rise.samples=500; once for each."""
    seed: int | None = None
    """Seed of the methods that draw at random; default 0."""
    check: bool = True
    """Measure every explanation: completeness, deletion, insertion, random weights, a shift by one pixel."""
    npz: str = ""
    """File for the maps as numbers, .npz: float32 under picture/method/target."""
    out: str = ""
    """The page, .png or .svg; default explain-MODEL.png in this folder."""

    def __post_init__(self) -> None:
        from cutaway.errors import BadInput, must_be

        if not self.pictures:
            raise BadInput("Name at least one photo to explain, or sample:cat.")
        if self.all and self.method:
            raise BadInput(f"--all already includes --method {self.method[0]}; give one of the two.")
        if bad := [text for text in self.set if not text.partition("=")[0].strip() or "=" not in text]:
            raise must_be("set", "NAME=VALUE, such as samples=50 or rise.samples=500", bad[0])


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedPicture:
    """One photo: its likeliest classes with probabilities in [0, 1], the likeliest first."""

    name: str
    sha256: str
    top: tuple[tuple[str, float], ...]

    def to_dict(self) -> dict[str, Any]:
        top = [{"class": name, "probability": round(p, 6)} for name, p in self.top]
        return {"picture": self.name, "sha256": self.sha256, "top": top}


@dataclass(frozen=True, slots=True, eq=False)
class ExplainResult:
    """`explanations`: by photo, then method, then target. `left_out`: (method, why it is not among them).

    `path`, `npz`: what was written, None where nothing was asked for. `unreadable`: (photo, why). `stopped`: whether
    Ctrl-C came before the end.
    """

    model: str
    pictures: tuple[ExplainedPicture, ...]
    explanations: tuple[Explanation, ...]
    left_out: tuple[tuple[str, str], ...]
    path: Path | None
    npz: Path | None
    unreadable: tuple[tuple[str, str], ...] = ()
    stopped: bool = False

    @property
    def maps(self) -> NDArray[np.float32]:
        """float32 (explanations, H, W), in their order: signed, in units of the explained score, not normalised."""
        import numpy as np

        return np.stack([e.map for e in self.explanations])

    @property
    def named_maps(self) -> dict[str, NDArray[np.float32]]:
        """picture/method/target -> map float32 (H, W), as the .npz file holds them."""
        names = _unique([p.name for p in self.pictures])
        keys = [f"{names[e.picture]}/{e.method}/{e.question}" for e in self.explanations]
        return {key: e.map for key, e in zip(keys, self.explanations, strict=True)}

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model, "pictures": [p.to_dict() for p in self.pictures],
            "explanations": [e.to_dict() for e in self.explanations],
            "left_out": [{"method": name, "why": why} for name, why in self.left_out],
            "path": None if self.path is None else str(self.path), "npz": None if self.npz is None else str(self.npz),
            "unreadable": [{"name": name, "error": why} for name, why in self.unreadable], "stopped": self.stopped,
        }  # fmt: skip


class ExplainVerb(Verb[..., ExplainResult]):
    """`explain(model, *pictures)`: each a name as typed, a Model, an Image; `method` and `target` one or several."""

    __slots__ = ()

    def __call__(
        self,
        model: Model | str,
        *photos: Image | str | Sequence[Image | str],
        pictures: Sequence[Image | str] = (),
        method: str | Sequence[str] = (),
        target: str | int | Sequence[str | int] = (),
        set: Sequence[str] = (),
        **options: Any,
    ) -> ExplainResult:
        """Model, photos -> ExplainResult; the other options as on the command line.

        Where everything is named by text this is what the command line does, page included; with a Model or an Image
        a page is drawn only where `out` says so. Raises BadInput, BadModel, MissingExtra.
        """
        names: list[Image | str] = []
        for one in (*photos, pictures):
            names += one if isinstance(one, list | tuple) else [one]  # type: ignore[list-item]
        asked: dict[str, Any] = {
            **options, "method": _several(method), "target": _several(target), "set": _several(set),
        }  # fmt: skip
        if isinstance(model, str) and all(isinstance(p, str) for p in names):
            return super().__call__(model, tuple(names), **asked)
        from cutaway.verbs.explain_run import explain_of, npz_file
        from cutaway.verbs.find import find_model
        from cutaway.verbs.picture_file import picture_file

        told = tuple(p if isinstance(p, str) else p.name for p in names)
        chosen = ExplainOptions(model if isinstance(model, str) else "model", told, **asked)
        path = picture_file(chosen.out, "explain", "model") if chosen.out else None
        npz = npz_file(chosen.npz)
        found = find_model(model) if isinstance(model, str) else model
        for event in _done(explain_of(chosen, found, names, path, npz)):
            if isinstance(event, Done):
                result: ExplainResult = event.result
        return result


def _several(given: Any) -> tuple[str, ...]:
    if isinstance(given, str | int):
        return (str(given),) if given != "" else ()
    return tuple(str(one) for one in given)


def _unique(names: Sequence[str]) -> dict[str, str]:
    """Photos as typed -> the last part of each, a number behind where two are alike."""
    from cutaway.dataset.words import unique

    short = [
        name.removeprefix("sample:").replace("\\", "/").rstrip("/").rpartition("/")[2] or "picture" for name in names
    ]
    return dict(zip(names, unique(short), strict=True))


def _done(work: Generator[Event, None, ExplainResult]) -> Generator[Event | Done[ExplainResult], None, None]:
    yield Done((yield from work))


def _run(options: ExplainOptions) -> Generator[Event, None, ExplainResult]:
    from cutaway.verbs.explain_run import explain_of, npz_file
    from cutaway.verbs.find import find_model
    from cutaway.verbs.picture_file import picture_file

    path, npz = picture_file(options.out, "explain", options.model), npz_file(options.npz)
    return (yield from explain_of(options, find_model(options.model), options.pictures, path, npz))


explain = ExplainVerb("explain", ExplainOptions, _run)
