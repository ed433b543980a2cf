"""Jobs: what they say, how they are stopped, what is told of those that fail, how a page that comes back reads on."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cutaway.errors import BadInput, Stopped
from cutaway.events import Event, Note, Progress
from cutaway.studio.jobs import KEPT, Job, Jobs

NET = "zoo:lenet5"


@pytest.fixture
def jobs() -> Any:
    made = Jobs()
    yield made
    made.close()


def ended(job: Job) -> Job:
    deadline = time.time() + 10
    while not job.ended and time.time() < deadline:
        time.sleep(0.005)
    assert job.ended, job.state
    return job


def counting(total: int, pause: float = 0.0) -> Generator[Event, None, dict[str, int]]:
    done = 0
    yield Note("begins")
    try:
        for done in range(1, total + 1):
            yield Progress("count", done, total, "steps")
            time.sleep(pause)
    except KeyboardInterrupt:
        return {"done": done, "stopped": 1}
    return {"done": done}


def test_a_job_says_what_it_does_and_gives_what_it_found(jobs: Jobs) -> None:
    job = ended(jobs.start("count", lambda: counting(3)))
    assert (job.state, job.result) == ("done", {"done": 3})
    kinds = [m["kind"] for m in job.messages]
    assert kinds == ["note", "progress", "done"]  # of one task the latest progress is kept
    numbers = [m["n"] for m in job.messages]
    assert numbers == sorted(set(numbers))
    assert job.messages[1] | {"at": 0} == {
        "kind": "progress", "at": 0, "task": "count", "done": 3, "total": 3, "unit": "steps", "n": 3,
    }  # fmt: skip


def test_a_stopped_job_keeps_what_it_has_done(jobs: Jobs) -> None:
    job = jobs.start("count", lambda: counting(10_000, 0.001))
    while not job.messages:
        time.sleep(0.001)
    job.stop.set()
    ended(job)
    assert job.result["stopped"] == 1
    assert job.result["done"] < 10_000


def test_a_verb_that_was_stopped_before_it_had_anything_is_stopped_and_no_failure(jobs: Jobs) -> None:
    def nothing_yet() -> Generator[Event, None, None]:
        yield Note("begins")
        raise Stopped("Stopped before the first picture was through.")

    job = ended(jobs.start("trust", nothing_yet))
    assert job.state == "stopped"
    assert [m["kind"] for m in job.messages] == ["note", "stopped"]


def test_a_job_that_has_not_begun_is_stopped_too(jobs: Jobs) -> None:
    first, second = jobs.start("count", lambda: counting(200, 0.001)), jobs.start("count", lambda: counting(1))
    second.stop.set()
    first.stop.set()
    assert ended(second).state == "stopped"
    assert [m["kind"] for m in second.messages] == ["stopped"]


def test_a_refusal_is_told_and_a_fault_of_ours_too(jobs: Jobs) -> None:
    def refused() -> Generator[Event, None, None]:
        yield Note("begins")
        raise BadInput("The folder x is empty.")

    def broken() -> Generator[Event, None, None]:
        yield Note("begins")
        raise ZeroDivisionError("inside")

    job = ended(jobs.start("a", refused))
    assert (job.state, job.told and job.told.message) == ("failed", "The folder x is empty.")
    job = ended(jobs.start("b", broken))
    assert job.told is not None
    assert job.told.message.startswith("Cutaway failed at this (ZeroDivisionError)")
    assert ended(jobs.start("c", lambda: counting(1))).state == "done"


def test_old_jobs_go(jobs: Jobs) -> None:
    for _ in range(KEPT + 20):
        last = jobs.start("count", lambda: counting(1))
    ended(last)
    jobs.start("count", lambda: counting(1))
    assert len(jobs.all()) <= KEPT + 1
    assert jobs.get("nothing") is None


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def test_a_verb_runs_as_a_job_and_its_events_resume_where_they_were_left(client: TestClient) -> None:
    asked = {"verb": "predict", "options": {"pictures": ["sample:cat"]}, "about": {"model": NET}}
    id_ = client.post("/api/jobs", json=asked).json()["id"]
    all_ = events(client.get(f"/api/jobs/{id_}/events").text)
    assert all_[-1]["kind"] == "done"
    assert all_[-1]["result"][0]["name"] == "sample:cat"
    middle = all_[-2]["n"]
    rest = events(client.get(f"/api/jobs/{id_}/events", headers={"Last-Event-ID": str(middle)}).text)
    assert [m["n"] for m in rest] == [m["n"] for m in all_ if m["n"] > middle]
    odd = events(client.get(f"/api/jobs/{id_}/events", headers={"Last-Event-ID": "-5e3x"}).text)
    assert odd == all_
    card = client.get(f"/api/jobs/{id_}").json()
    assert (card["state"], card["last"], card["what"]) == ("done", all_[-1]["n"], "predict")
    assert id_ in [one["id"] for one in client.get("/api/jobs").json()]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"verb": "magic"}, "There is no verb 'magic'; there are "),
        ({"verb": "predict", "options": {"speed": 1}}, "predict has no option 'speed'"),
        ({"verb": "predict", "options": {"model": NET, "pictures": ["sample:cat"], "top": "many"}}, "top: "),
        ({"verb": "predict", "options": {"model": NET, "pictures": []}}, "at least one photo"),
        ({"verb": "predict", "options": {"model": "upload:" + "0" * 64 + "/x.h5"}}, "no longer kept"),
    ],
)
def test_what_cannot_be_is_refused_before_it_begins(client: TestClient, asked: dict[str, Any], why: str) -> None:
    answer = client.post("/api/jobs", json=asked)
    assert answer.status_code == 400
    assert why in answer.json()["message"]


@pytest.mark.parametrize("path", ["/api/jobs/nothing", "/api/jobs/nothing/events", "/api/jobs/nothing/files/x"])
def test_an_unknown_job_is_told(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert "There is no such job any more" in answer.json()["message"]
    assert client.delete("/api/jobs/nothing").status_code == 400


def test_a_job_fails_in_a_sentence_and_its_files_are_its_own(client: TestClient) -> None:
    bad = {"verb": "predict", "options": {"pictures": ["nowhere.png"]}, "about": {"model": NET}}
    id_ = client.post("/api/jobs", json=bad).json()["id"]
    (failed,) = [m for m in events(client.get(f"/api/jobs/{id_}/events").text) if m["kind"] == "failed"]
    assert failed["told"]["message"].startswith("nowhere.png is no file or folder")
    assert client.get(f"/api/jobs/{id_}/files/passwd").json()["message"] == "The job wrote no file 'passwd'."
    good = {"verb": "watch", "options": {"picture": "sample:cat"}, "about": {"model": NET}}
    id_ = client.post("/api/jobs", json=good).json()["id"]
    events(client.get(f"/api/jobs/{id_}/events").text)
    card = client.get(f"/api/jobs/{id_}").json()
    assert card["files"] == ["watch.png"]
    assert client.get(f"/api/jobs/{id_}/files/watch.png").content.startswith(b"\x89PNG")
