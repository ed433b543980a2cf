from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cutaway.dataset.archive import ZipStore
from cutaway.dataset.samples import Sample
from cutaway.dataset.scan import open_dataset
from cutaway.errors import BadInput, BadPicture

Draw = Callable[..., bytes]


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str = "w", extra: tuple[tarfile.TarInfo, ...] = ()) -> Path:
    with tarfile.open(path, mode) as made:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
        for info in extra:
            made.addfile(info)
    return path


@pytest.fixture
def members(draw: Draw) -> dict[str, bytes]:
    return {"pets/cat/1.png": draw(1), "pets/dog/2.png": draw(2), "__MACOSX/pets/cat/._1.png": b"x"}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_is_opened_like_the_folder_in_it(
    tmp_path: Path, cache: Path, members: dict[str, bytes], kind: str
) -> None:
    path = tmp_path / f"pets.{kind}"
    if kind == "zip":
        zipped(path, members)
    else:
        tarred(path, members, {"tar": "w", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}[kind])
    data = open_dataset(path)
    assert data.classes == ("cat", "dog")
    assert [s.name for s in data.samples] == ["pets/cat/1.png", "pets/dog/2.png"]
    assert any(name.startswith("__MACOSX") for name, _ in data.skipped)
    store = pickle.loads(pickle.dumps(data.store))
    assert store.read(data.samples[1]).pixels.shape == (6, 8, 3)
    assert data.read(0).sha256 == open_dataset(path).read(0).sha256 != data.read(1).sha256
    assert store.stamp(data.samples[0]) != store.stamp(data.samples[1])
    assert (cache / "unpacked").exists() == (kind not in ("zip", "tar"))  # only compressed tars are unpacked


def test_the_ending_does_not_decide(tmp_path: Path, members: dict[str, bytes]) -> None:
    assert open_dataset(zipped(tmp_path / "download", members)).classes == ("cat", "dog")
    assert open_dataset(tarred(tmp_path / "backup.old", members, "w:gz")).classes == ("cat", "dog")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_members_that_leave_the_folder_links_and_devices_are_skipped_and_listed(
    tmp_path: Path, draw: Draw, mode: str
) -> None:
    link, device = tarfile.TarInfo("cat/link.png"), tarfile.TarInfo("cat/dev.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    inside = {
        "cat/1.png": draw(1),
        "dog/1.png": draw(2),
        "../evil.png": draw(3),
        "/abs.png": draw(4),
        "cat/../../evil2.png": draw(5),
    }
    data = open_dataset(tarred(tmp_path / "a.tar", inside, mode, (link, device)))
    assert [s.name for s in data.samples] == ["cat/1.png", "dog/1.png"]
    assert dict(data.skipped) == {
        "../evil.png": "leaves the folder it is unpacked in",
        "/abs.png": "leaves the folder it is unpacked in",
        "cat/../../evil2.png": "leaves the folder it is unpacked in",
        "cat/link.png": "link",
        "cat/dev.png": "not a regular file",
    }
    assert not [*tmp_path.rglob("evil*.png"), *tmp_path.parent.glob("evil*.png")]


def test_zip_members_that_leave_encrypted_ones_and_windows_paths(tmp_path: Path, draw: Draw) -> None:
    path = zipped(tmp_path / "a.zip", {"cat/1.png": draw(1), "../x.png": draw(2), "C:/y.png": draw(3)})
    with zipfile.ZipFile(path, "a") as made:
        link = zipfile.ZipInfo("cat/link.png")
        link.external_attr = 0o120777 << 16
        made.writestr(link, "/etc/passwd")
        windows = zipfile.ZipInfo("dog/1.png")
        windows.filename = "dog\\2.png"  # as some Windows programs write it
        made.writestr(windows, draw(4))
    data = open_dataset(path)
    assert [s.name for s in data.samples] == ["cat/1.png", "dog/2.png"]
    assert {reason for _, reason in data.skipped} == {"leaves the folder it is unpacked in", "link"}


def test_an_encrypted_member_is_skipped(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "a.zip", {**members, "pets/cat/secret.png": b"s"})
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as made:
        entry = next(i for i in made.infolist() if i.filename.endswith("secret.png"))
    at = raw.rindex(b"PK\x01\x02", 0, raw.rindex(entry.filename.encode()))
    raw[at + 8] |= 1
    path.write_bytes(bytes(raw))
    assert ("pets/cat/secret.png", "encrypted") in open_dataset(path).skipped


@pytest.mark.parametrize(("name", "mode"), [("a.tar.gz", "w:gz"), ("a.tar", "w")])
def test_an_archive_that_ends_too_early_is_told(tmp_path: Path, draw: Draw, name: str, mode: str) -> None:
    path = tarred(tmp_path / name, {f"cat/{i}.png": draw(i, 40, 40) for i in range(6)}, mode)
    path.write_bytes(path.read_bytes()[:15000])
    with pytest.raises(BadInput, match=f"{name} is a damaged archive .*pack or download it again"):
        open_dataset(path)


def test_a_damaged_zip_and_text_named_tar_are_told(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = zipped(tmp_path / "a.zip", members)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(BadInput, match=r"a\.zip is a damaged archive"):
        open_dataset(path)
    (tmp_path / "b.tar.gz").write_text("not a tar")
    with pytest.raises(BadInput, match=r"b\.tar\.gz is a damaged archive"):
        open_dataset(tmp_path / "b.tar.gz")


def test_a_member_with_a_wrong_checksum_costs_one_picture(tmp_path: Path, draw: Draw) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:  # stored, so that the bytes can be found
        made.writestr("cat/1.png", draw(1))
        made.writestr("dog/2.png", draw(2))
    raw = bytearray(path.read_bytes())
    raw[raw.index(draw(1)) + 50] ^= 0xFF
    path.write_bytes(bytes(raw))
    data = open_dataset(path)
    with pytest.raises(BadPicture, match=r"cat/1\.png: unreadable \(the archive does not give it"):
        data.read(0)
    assert data.read(1).pixels.shape == (6, 8, 3)


def test_an_archive_that_went_away_is_told_by_picture(tmp_path: Path, members: dict[str, bytes]) -> None:
    gone = ZipStore(str(tmp_path / "gone.zip"))
    assert gone.stamp(Sample("a", 0, None, "0")) == ""
    with pytest.raises(BadPicture, match="a: unreadable"):
        gone.read(Sample("a", 0, None, "0"))
    path = tarred(tmp_path / "a.tar", members)
    data = open_dataset(path)
    path.unlink()
    with pytest.raises(BadPicture, match="unreadable"):
        data.read(0)


def test_an_archive_without_permission(
    tmp_path: Path, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "a.zip", members)

    def refuse(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("cutaway.dataset.archive._in_place", refuse)
    with pytest.raises(BadInput, match="cannot be read as an archive \\(Permission denied\\)"):
        open_dataset(path)


def test_a_compressed_tar_is_unpacked_once(tmp_path: Path, cache: Path, members: dict[str, bytes]) -> None:
    path = tarred(tmp_path / "a.tgz", members, "w:gz")
    open_dataset(path)
    (unpacked,) = (cache / "unpacked").iterdir()
    made = (unpacked / "files" / "pets" / "cat" / "1.png").stat().st_mtime_ns
    assert open_dataset(path).classes == ("cat", "dog")
    assert [unpacked] == list((cache / "unpacked").iterdir())
    assert (unpacked / "files" / "pets" / "cat" / "1.png").stat().st_mtime_ns == made


def test_an_archive_of_parquet_tables_is_opened_as_their_folder(tmp_path: Path, draw: Draw) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = io.BytesIO()
    pq.write_table(pa.table({"image": [draw(1), draw(2)], "label": ["a", "b"]}), held)
    data = open_dataset(zipped(tmp_path / "a.zip", {"hf/train-0.parquet": held.getvalue()}))
    assert (data.classes, [s.fold for s in data.samples]) == (("a", "b"), ["train", "train"])
