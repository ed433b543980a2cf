"""Long work: what is asked for, and what it says while it goes on."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cutaway.studio.schemas.about import About, Told


class VerbJob(BaseModel):
    """Any verb with its options, as on the command line. `about`: the model (with its edits) that goes into `model`."""

    model_config = ConfigDict(extra="forbid")

    verb: str
    options: dict[str, Any] = Field(default_factory=dict)
    about: About | None = None


class JobCard(BaseModel):
    """One job. `last`: the number of its last message; `files`: names of what it wrote, to be fetched from it."""

    id: str
    what: str
    state: Literal["waiting", "running", "done", "failed", "stopped"]
    last: int
    files: tuple[str, ...] = ()
    result: Any = None
    told: Told | None = None
