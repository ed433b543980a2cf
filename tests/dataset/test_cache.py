from __future__ import annotations

import errno
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cutaway.dataset import cache as cache_module
from cutaway.dataset import shelf
from cutaway.dataset.cache import fill, filled
from cutaway.dataset.decode import Fitter, Group, fitted
from cutaway.dataset.loose import open_pictures
from cutaway.dataset.samples import Dataset, Sample
from cutaway.dataset.scan import open_dataset
from cutaway.errors import BadInput, BadPicture
from cutaway.events import Progress
from cutaway.image import Image, InputContract
from cutaway.image.fit import fit_picture

Plant = Callable[..., Path]
SMALL = InputContract((4, 5))


@pytest.fixture
def pets(tmp_path: Path, plant: Plant) -> Path:
    return plant(tmp_path / "pets", "cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")


def test_every_picture_is_decoded_fitted_and_told_of(pets: Path) -> None:
    data = open_dataset(pets)
    events = []
    running = fill(data, SMALL)
    while True:
        try:
            events.append(next(running))
        except StopIteration as end:
            got = end.value
            break
    assert events[0] == Progress("read pictures", 0, 4, "pictures")
    assert events[-1] == Progress("read pictures", 4, 4, "pictures")
    assert (len(got), got.shape, got.decoded, got.ok.tolist(), got.failures) == (4, (4, 4, 5, 3), 4, [True] * 4, ())
    for i in range(4):
        picture = data.read(i)
        assert np.array_equal(got.rows([i])[0], fit_picture(picture, SMALL))
        assert got.sha256s[i] == picture.sha256
    assert got.stored_sizes.tolist() == [[6, 8]] * 4
    assert got.names == tuple(s.name for s in data.samples)


def test_a_second_run_decodes_nothing_and_a_new_size_decodes_again(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = filled(open_dataset(pets), SMALL)
    with monkeypatch.context() as patch:
        patch.setattr("cutaway.image.pool.read_many", None)  # nobody may even ask for a decoder
        patch.setattr("cutaway.dataset.cache.fitted", lambda *_: iter(()))
        again = filled(open_dataset(pets), SMALL)
    assert again.decoded == 0
    assert np.array_equal(again.pixels, first.pixels)
    assert again.sha256s == first.sha256s
    assert filled(open_dataset(pets), InputContract((4, 5), mean=(1, 1, 1))).decoded == 0  # same pixel_key
    assert filled(open_dataset(pets), InputContract((4, 5), fit="squash")).decoded == 4


def test_what_moved_changed_or_came_costs_only_itself(pets: Path, draw: Callable[..., bytes]) -> None:
    first = filled(open_dataset(pets), SMALL)
    rows = first.file.stat().st_size
    (pets / "cat" / "2.png").rename(pets / "dog" / "3.png")
    moved = filled(open_dataset(pets), SMALL)
    assert moved.decoded == 1
    assert moved.file.stat().st_size == rows  # its pixels were there
    (pets / "dog" / "1.png").write_bytes(draw(77, 9, 9))
    (pets / "dog" / "4.png").write_bytes(draw(78))
    changed = filled(open_dataset(pets), SMALL)
    assert changed.decoded == 2
    assert changed.file.stat().st_size == rows + 2 * 60
    data = open_dataset(pets)
    assert np.array_equal(changed.rows(slice(None)), np.stack([fit_picture(data.read(i), SMALL) for i in range(5)]))


def test_bad_pictures_are_listed_and_not_decoded_again(pets: Path) -> None:
    (pets / "cat" / "2.png").write_bytes(b"not a picture")
    (pets / "dog" / "2.png").unlink()
    (pets / "dog" / "2.png").symlink_to(pets / "dog" / "1.png")
    data = open_dataset(pets)
    (pets / "dog" / "2.png").unlink()
    for decoded in (4, 1):  # a missing file is asked for again, a broken one is known
        got = filled(data, SMALL)
        assert got.decoded == decoded
        assert got.ok.tolist() == [True, False, True, False]
        assert [(f.name, f.code) for f in got.failures] == [("cat/2.png", "not-an-image"), ("dog/2.png", "missing")]
        assert got.sha256s[1] is None
        assert got.stored_sizes[1].tolist() == [0, 0]
    with pytest.raises(BadInput, match=r"cat/2\.png has no pixels \(not-an-image: .*leave out the samples whose `ok`"):
        got.rows([0, 1])
    assert got.rows(got.ok).shape == (2, 4, 5, 3)


def test_another_decoder_tries_a_broken_picture_again(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pets / "cat" / "2.png").write_bytes(b"not a picture")
    filled(open_dataset(pets), SMALL)
    monkeypatch.setattr("cutaway.dataset.cache.decoder", lambda: "pillow-99")
    assert filled(open_dataset(pets), SMALL).decoded == 1


def test_notes_and_stored_sizes_come_back_from_the_cache(tmp_path: Path) -> None:
    from PIL import Image as Pillow

    Pillow.new("RGBA", (30, 20), (255, 0, 0, 0)).save(tmp_path / "a.png")
    for _ in range(2):
        got = filled(open_pictures([tmp_path / "a.png"]), SMALL)
        assert (got.notes, got.stored_sizes.tolist()) == ((("alpha-flattened",),), [[20, 30]])


def test_two_data_sets_share_pixels_by_content(pets: Path, tmp_path: Path) -> None:
    first = filled(open_dataset(pets), SMALL)
    copy = shutil.copytree(pets, tmp_path / "copy")
    os.utime(copy / "cat" / "1.png", ns=(1, 1))
    second = filled(open_dataset(copy), SMALL)
    assert second.file.stat().st_size == first.file.stat().st_size
    assert np.array_equal(second.pixels, first.pixels)


def test_a_pixel_set_is_small_to_send_and_can_be_cut(pets: Path) -> None:
    got = filled(open_dataset(pets), SMALL)
    got.rows([0])
    sent = pickle.loads(pickle.dumps(got))
    assert np.array_equal(sent.rows([3, 1, 1]), got.pixels[[3, 1, 1]])
    cut = got.take([2, 0])
    assert (cut.names, len(cut)) == (("dog/1.png", "cat/1.png"), 2)
    assert np.array_equal(cut.pixels, got.rows([2, 0]))
    assert np.array_equal(got.rows(slice(1, 3)), got.rows([1, 2]))
    assert not got.pixels.flags.writeable


def test_no_pictures_at_all(pets: Path) -> None:
    got = filled(open_dataset(pets).take([]), SMALL)
    assert (got.shape, got.pixels.shape, got.rows([]).shape) == ((0, 4, 5, 3),) * 3


def test_digits_need_no_worker_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    got = filled(open_dataset("digits").take(range(50)), InputContract((8, 8)))
    assert got.decoded == 50
    assert np.array_equal(got.rows([7])[0], open_dataset("digits").read(7).pixels)


class Deadly:
    """A store whose second picture ends its process."""

    def read(self, sample: Sample, target_px: int | None = None) -> Image:
        del target_px
        if sample.at == 1:
            os.kill(os.getpid(), 9)
        return Image(np.full((4, 5, 3), int(sample.at), np.uint8), sample.name, f"{int(sample.at):064x}", (), (4, 5))

    def stamp(self, sample: Sample) -> str:
        return f"deadly {sample.at}"


def test_a_picture_that_kills_its_group_is_found_and_the_others_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def read_many(jobs: Any, work: Any, **_: Any) -> Any:  # a pool whose worker dies with picture 1
        for number, job in enumerate(jobs):
            asked.append(len(job))
            dead = any(s.at == 1 for s in job)
            yield number, BadPicture(job[0].name, "crashed", "by SIGKILL") if dead else work(job)

    monkeypatch.setattr("cutaway.image.pool.read_many", read_many)
    data = Dataset("deadly", (), tuple(Sample(f"{i}.png", None, None, i) for i in range(5)), Deadly())
    got = filled(data, SMALL)
    assert asked == [5, 1, 1, 1, 1, 1]
    assert [(f.name, f.code) for f in got.failures] == [("1.png", "crashed")]
    assert got.rows([0, 2, 3, 4])[:, 0, 0, 0].tolist() == [0, 2, 3, 4]
    assert filled(data, SMALL).decoded == 1  # a crash says nothing lasting about the file


def test_large_pictures_travel_alone_and_groups_hold_failures(pets: Path) -> None:
    (pets / "cat" / "2.png").write_bytes(b"x")
    data = open_dataset(pets)
    group = Fitter(data.store, SMALL)(data.samples[:2])
    assert isinstance(group, Group)
    good, bad = group.taken_apart()
    assert not isinstance(good, BadPicture)
    assert isinstance(bad, BadPicture)
    results = dict(fitted(data, [0, 1, 3], InputContract((300, 300)), workers=1))
    assert sorted(results) == [0, 1, 3]
    assert isinstance(results[1], BadPicture)


def test_a_full_disk_is_told_with_folder_and_free_bytes_and_nothing_is_half_stored(
    pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, room = shelf.os.write, [100]

    def write(handle: int, data: Any) -> int:
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        room[0] -= len(data)
        return real(handle, data[: max(1, len(data) // 2)])

    with monkeypatch.context() as patch:
        patch.setattr(shelf.os, "write", write)
        with pytest.raises(
            BadInput, match=r"The disk of the cache folder .* is full \([\d,]+ bytes.*\$CUTAWAY_CACHE"
        ) as told:
            filled(open_dataset(pets), SMALL)
    assert str(cache) in str(told.value)
    got = filled(open_dataset(pets), SMALL)
    data = open_dataset(pets)
    assert got.decoded == 4
    assert np.array_equal(got.pixels, np.stack([fit_picture(data.read(i), SMALL) for i in range(4)]))


def test_a_real_small_disk_that_fills_up(tmp_path: Path, plant: Plant) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"mounting a small tmpfs is not permitted here: {mounted.stderr.decode().strip()}")
    try:
        root = plant(tmp_path / "pets", *[f"cat/{i}.png" for i in range(30)])
        with pytest.raises(BadInput, match="is full"):
            filled(open_dataset(root), InputContract((200, 200)), folder=disk)
        assert filled(open_dataset(root), InputContract((2, 2)), folder=disk).ok.all()  # what fits still works
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_deleted_or_shortened_pixel_file_is_filled_again(pets: Path) -> None:
    first = filled(open_dataset(pets), SMALL)
    before = first.pixels.copy()
    os.truncate(first.file, 100)
    again = filled(open_dataset(pets), SMALL)
    assert again.decoded == 4
    assert np.array_equal(again.rows([0, 1, 2, 3]), before)
    again.file.unlink()
    assert filled(open_dataset(pets), SMALL).decoded == 4
    for part in again.file.parent.glob("index.sqlite*"):
        part.unlink()
    last = filled(open_dataset(pets), SMALL)
    assert (last.decoded, last.file.stat().st_size) == (4, 240)
    assert np.array_equal(last.pixels, before)


def test_a_damaged_index_is_told(pets: Path, cache: Path) -> None:
    filled(open_dataset(pets), SMALL)
    for part in (cache / "pixels").glob("index.sqlite*"):
        part.write_bytes(b"garbage" * 1000)
    with pytest.raises(BadInput, match=r"The index of the cache folder .* is damaged .* delete the folder"):
        filled(open_dataset(pets), SMALL)


FILLER = """
import sys
from cutaway.dataset import cache
from cutaway.dataset.scan import open_dataset
from cutaway.image import InputContract
cache.BATCH_SECONDS = 0.0
got = cache.filled(open_dataset(sys.argv[1]), InputContract((64, 64)), workers=1)
print(got.decoded, bool(got.ok.all()))
"""


def started(root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", FILLER, str(root)], stdout=subprocess.PIPE)


def true_pixels(root: Path) -> Any:
    data = open_dataset(root)
    return np.stack([fit_picture(data.read(i), InputContract((64, 64))) for i in range(len(data))])


def test_two_processes_at_once_and_a_third_that_is_killed(tmp_path: Path, plant: Plant, cache: Path) -> None:
    root = plant(tmp_path / "pets", *[f"{c}/{i}.png" for i in range(150) for c in ("cat", "dog")])
    victim, one, two = started(root), started(root), started(root)
    deadline = time.monotonic() + 30
    while not list((cache / "pixels").glob("*.rgb")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.15)
    victim.kill()
    victim.communicate()
    assert [process.communicate()[0].split()[-1] for process in (one, two)] == [b"True", b"True"]
    got = filled(open_dataset(root), InputContract((64, 64)))
    assert got.decoded == 0
    assert len(set(got.place.tolist())) == 300
    assert got.file.stat().st_size == 300 * 64 * 64 * 3
    assert np.array_equal(got.pixels, true_pixels(root))


def test_a_filling_that_is_killed_keeps_whole_pictures_only(tmp_path: Path, plant: Plant, cache: Path) -> None:
    root = plant(tmp_path / "pets", *[f"{c}/{i}.png" for i in range(150) for c in ("cat", "dog")])
    for wait in (0.02, 0.1):
        victim = started(root)
        grown = [p.stat().st_size for p in (cache / "pixels").glob("*.rgb")]
        deadline = time.monotonic() + 30
        while [p.stat().st_size for p in (cache / "pixels").glob("*.rgb")] == grown and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(wait)
        victim.kill()
        victim.communicate()
    got = filled(open_dataset(root), InputContract((64, 64)))
    assert got.ok.all()
    assert np.array_equal(got.pixels, true_pixels(root))


def test_pictures_that_finish_out_of_order_lie_in_order_until_memory_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [(i, BadPicture(str(i), "empty", "")) for i in (1, 2, 0, 3, 5, 6, 7, 8, 9, 4)]
    monkeypatch.setattr(cache_module, "BATCH_BYTES", 2)
    batches = [[i for i, _ in batch] for batch in cache_module._batches(iter(made), range(10), row_bytes=1)]
    assert batches == [[0, 1, 2], [3], [5, 6, 7, 8], [4, 9]]
    monkeypatch.setattr(cache_module, "BATCH_BYTES", 5)
    batches = [[i for i, _ in batch] for batch in cache_module._batches(iter(made), range(10), row_bytes=1)]
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7, 8, 9]]
    monkeypatch.setattr(cache_module, "BATCH_SECONDS", 0.0)
    batches = [[i for i, _ in batch] for batch in cache_module._batches(iter(made), range(10), row_bytes=1)]
    assert batches == [[0, 1, 2], [3], [4, 5, 6, 7, 8, 9]]


def test_a_fresh_set_is_a_view_of_the_map(pets: Path) -> None:
    assert filled(open_dataset(pets), SMALL).pixels.base is not None


def test_a_small_set_can_be_held_in_memory(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pets / "cat" / "2.png").write_bytes(b"x")
    mapped = filled(open_dataset(pets), SMALL)
    held = mapped.held()
    mapped.file.unlink()
    assert held.memory is not None
    assert held.memory.shape == (3, 4, 5, 3)
    assert held.ok.tolist() == [True, False, True, True]
    assert np.array_equal(held.rows([3, 0, 2]), mapped.rows([3, 0, 2]))
    assert np.array_equal(held.take([2, 3]).pixels, mapped.rows([2, 3]))
    with pytest.raises(BadInput, match=r"cat/2\.png has no pixels"):
        held.rows([1])
    assert mapped.held(most_bytes=100) is mapped
    monkeypatch.setattr("cutaway.dataset.pixels._free_memory", lambda: 100)
    assert mapped.held() is mapped
