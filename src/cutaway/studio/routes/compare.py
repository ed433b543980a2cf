"""Two models side by side, as a job: the edited one against another, or against itself without the edits."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request

from cutaway.errors import BadInput
from cutaway.events import Event, Note
from cutaway.studio.desk import Desk
from cutaway.studio.given import TheDesk, TheJobs
from cutaway.studio.routes.jobs import card, found
from cutaway.studio.schemas.about import About
from cutaway.studio.schemas.compare import ComparedSide, CompareRequest, Comparison
from cutaway.studio.schemas.jobs import JobCard
from cutaway.studio.uploads import PREFIX, path_of

if TYPE_CHECKING:
    from cutaway.image import Image
    from cutaway.model import Model

TOP = 6
router = APIRouter(prefix="/api/compare")


@router.post("")
async def compare(desk: TheDesk, jobs: TheJobs, asked: CompareRequest) -> JobCard:
    """Model, picture, other model -> the job that compares them. Refused at once where there is nothing to compare."""
    if not asked.other and not asked.about.edits:
        raise BadInput("Choose a second model to compare with; without one, only an edited model can be compared.")
    return card(jobs.start("compare", lambda: _work(desk, asked)))


@router.get("/{id_}")
async def compared(request: Request, id_: str) -> Comparison:
    """A comparing job that is done -> what it found."""
    job = found(request, id_)
    if job.what != "compare" or job.state != "done":
        raise BadInput("This job has compared nothing (yet).")
    return Comparison.model_validate(job.result)


def _work(desk: Desk, asked: CompareRequest) -> Generator[Event, None, Any]:
    """Yields what it does; both models come from the desk, so that neither is read again."""
    from cutaway.model.compare import PARTED, compare_models, compare_on
    from cutaway.verbs.compare import Compared

    other = About(model=asked.other or asked.about.model)
    yield Note("Opens both models.")
    abouts = (asked.about, other) if asked.other else (other, asked.about)  # what was there first stands first
    a, b = (desk.model(about) for about in abouts)
    yield Note("Compares their layers.")
    seen = compare_models(a, b)
    picture = desk.picture(asked.about.picture) if asked.about.picture else None
    if picture is not None:
        yield Note("Runs the picture through both.")
        ((_, seen),) = compare_on(seen, a, b, [(asked.about.picture, picture)])
    names = [
        name + (" with your edits" if about.edits else "")
        for name, about in zip(_titles(desk, *(about.model for about in abouts)), abouts, strict=True)
    ]
    plain = Compared(names[0], names[1], seen).to_dict()
    sides = [
        ComparedSide.model_validate(plain[side] | {"top": _top(model, picture)})
        for side, model in (("a", a), ("b", b))
    ]  # fmt: skip
    difference = seen.pictures[0].difference if seen.pictures else None
    return Comparison.model_validate(
        plain | {"a": sides[0], "b": sides[1], "parted": PARTED, "difference": difference}
    ).model_dump(mode="json")


def _titles(desk: Desk, a: str, b: str) -> tuple[str, str]:
    """Two addresses -> what the page calls them; files of the same name also by the folder they lie in."""
    titles = (desk.title(a), desk.title(b))
    if titles[0] != titles[1] or a == b:
        return titles
    longer = tuple("/".join(Path(path_of(one)).parts[-2:]) for one in (a, b) if not one.startswith(PREFIX))
    return (longer[0], longer[1]) if len(longer) == 2 else titles


def _top(model: Model, picture: Image | None) -> list[dict[str, Any]]:
    """Model, picture -> its likeliest classes, best first."""
    if picture is None:
        return []
    p = model.predict([picture])[0]
    order = sorted(range(len(p)), key=lambda i: -float(p[i]))[:TOP]
    return [{"name": model.classes[i] if model.classes else f"class {i}", "p": float(p[i])} for i in order]
