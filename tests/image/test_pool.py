"""Worker processes: one bad file costs one row, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pool_jobs
import pytest
from picture_files import jpeg, png

from cutaway.errors import BadInput, BadPicture
from cutaway.image import read_many

EXPECTED = {
    3: ("crashed", "SIGKILL"),
    8: ("timeout", "more than 1.5 s"),
    13: ("memory", "needs more memory"),
    18: ("memory", "needs more memory"),
    21: ("crashed", "KeyError: 'no such thing'"),
    26: ("truncated", "half of it"),
    27: ("crashed", "status 7"),
    29: ("crashed", "cannot be handed over"),
    31: ("crashed", "cannot be read back"),
}


def test_each_accident_costs_its_own_row_only() -> None:
    rows = list(read_many(range(200), pool_jobs.accident, workers=2, memory_mb=1024, seconds=1.5))
    results = dict(rows)
    assert sorted(index for index, _ in rows) == list(range(200))
    bad = {index: (r.code, r.detail) for index, r in results.items() if isinstance(r, BadPicture)}
    assert {index: code for index, (code, _) in bad.items()} == {index: code for index, (code, _) in EXPECTED.items()}
    assert all(part in bad[index][1] for index, (_, part) in EXPECTED.items())
    assert all(results[index] == 2 * index for index in range(200) if index not in bad)


def test_a_job_is_called_what_the_caller_says_and_an_unforeseen_error_keeps_its_traceback() -> None:
    ((index, row),) = read_many([21], pool_jobs.accident, workers=1, name=lambda job: f"photo {job}.jpg")
    assert index == 0
    assert isinstance(row, BadPicture)
    assert row.name == "photo 21.jpg"
    assert "pool_jobs.py" in row.__notes__[0]


def test_every_job_may_kill_its_worker() -> None:
    rows = dict(read_many([3] * 5, pool_jobs.accident, workers=2))
    assert [rows[index].code for index in range(5)] == ["crashed"] * 5


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_files_are_read_whatever_the_number_of_workers(tmp_path: Path, workers: int) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(20, 30))
    (tmp_path / "b.png").write_bytes(png(5, 6))
    (tmp_path / "c.jpg").write_bytes(b"no picture")
    jobs = [*sorted(tmp_path.iterdir()), tmp_path / "d.jpg"]
    rows = dict(read_many(jobs, pool_jobs.size_of, workers=workers))
    assert rows[0] == (20, 30)
    assert rows[1] == (5, 6)
    assert [rows[2].code, rows[3].code] == ["not-an-image", "missing"]


def test_no_workers_means_here_and_in_order() -> None:
    assert list(read_many([5, 6, 7], pool_jobs.double, workers=0)) == [(0, 10), (1, 12), (2, 14)]
    ((_, failed),) = read_many([13], pool_jobs.accident, workers=0)
    assert isinstance(failed, BadPicture)
    assert failed.code == "memory"


def test_no_jobs_start_no_process() -> None:
    assert list(read_many([], pool_jobs.double, workers=2)) == []


def test_workers_import_nothing_heavy() -> None:
    ((_, loaded),) = read_many([0], pool_jobs.modules, workers=1)
    assert not {"torch", "torchvision", "sklearn", "skimage", "scipy", "pandas", "timm", "pytest"} & set(loaded)


def test_many_small_jobs_cost_microseconds_each() -> None:
    begun = time.process_time()
    total = sum(value for _, value in read_many(range(5000), pool_jobs.double, workers=2))
    assert total == 2 * sum(range(5000))
    assert time.process_time() - begun < 2  # measured 0.08 s: 13 us of this process for each job


@pytest.mark.parametrize(("workers", "memory_mb", "seconds"), [(1, 0, 1.0), (1, 64, 0.0), (1, 64, -1.0)])
def test_limits_must_be_above_zero(workers: int, memory_mb: int, seconds: float) -> None:
    with pytest.raises(BadInput, match="memory_mb and seconds must be above 0"):
        read_many([1], pool_jobs.double, workers=workers, memory_mb=memory_mb, seconds=seconds)


def test_the_number_of_workers_must_not_be_negative() -> None:
    with pytest.raises(BadInput, match=r"workers must be 0 .* Got -1"):
        read_many([1], pool_jobs.double, workers=-1)


def test_a_function_no_worker_can_import_is_told_in_one_sentence() -> None:
    with pytest.raises(BadInput, match=r"cannot run .*lambda.*put it at the top level of a module.*workers=0"):
        list(read_many([1], lambda job: job, workers=1))


def test_a_function_of_a_module_the_worker_cannot_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here_only.py").write_text("def work(job):\n    return job\n")
    monkeypatch.syspath_prepend(tmp_path)
    import here_only

    monkeypatch.undo()
    with pytest.raises(BadInput, match=r"cannot run here_only\.work .*No module named 'here_only'"):
        list(read_many([1], here_only.work, workers=1))


def test_a_job_that_cannot_be_sent() -> None:
    with pytest.raises(BadInput, match="a job cannot be sent"):
        list(read_many([lambda: None], pool_jobs.double, workers=1))


def test_workers_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BadInput, match="ended with status 1 before its first job"):
        list(read_many([1], pool_jobs.double, workers=1))


def test_an_abandoned_iterator_ends_its_workers() -> None:
    rows = read_many(range(1000), pool_jobs.slow_pid, workers=2)
    pids = {next(rows)[1] for _ in range(6)}
    rows.close()
    assert gone(pids)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_parent_is_stopped(how: signal.Signals) -> None:
    script = (
        "import pool_jobs\nfrom cutaway.image import read_many\n"
        "for _, pid in read_many(range(10000), pool_jobs.slow_pid, workers=2): print(pid, flush=True)"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    with parent:
        assert parent.stdout is not None
        pids = {int(parent.stdout.readline()) for _ in range(8)}
        os.killpg(parent.pid, how)  # as the terminal does it: to the whole group
    assert parent.returncode == -how
    assert gone(pids)


def gone(pids: set[int]) -> bool:
    """True once all have ended; a zombie that nobody collects has ended, too."""
    patience = time.monotonic() + 5
    while any(running(pid) for pid in pids) and time.monotonic() < patience:
        time.sleep(0.02)
    return not any(running(pid) for pid in pids)


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
