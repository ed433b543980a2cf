"""Which files a job's result names: only those that it wrote."""

from __future__ import annotations

from pathlib import Path

from cutaway.studio.outcome import job_folder, written


def test_only_files_in_a_jobs_own_folder_may_be_fetched(tmp_path: Path) -> None:
    folder = job_folder()
    mine, other = folder / "watch.png", tmp_path / "secret.png"
    mine.write_bytes(b"1")
    other.write_bytes(b"2")
    (folder / "way-out.png").symlink_to(other)
    result = {
        "out": str(mine),
        "more": [{"deep": [str(mine), str(other), str(folder / "way-out.png"), str(folder / "not-there.png")]}],
        "words": ["a sentence", "", "a/b\x00c", "/" * 5000, "/etc/passwd", str(folder)],
        "number": 3,
    }
    assert written(result) == (mine,)
    assert written(None) == ()
    assert job_folder() != folder
