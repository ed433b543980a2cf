"""The loading path on whole files: what comes out, and under which code everything else ends."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from picture_files import jpeg, jpeg_header, png, png_header, saved, scene, turned
from PIL import Image as Pillow
from PIL import ImageOps

from cutaway.errors import BadInput, BadPicture
from cutaway.image import decode, opener, read, read_image


def test_a_photo_comes_out_as_it_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "scene.png"
    path.write_bytes(png())
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, scene())
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.writeable
    assert (image.name, image.notes, image.stored_size) == (str(path), (), (64, 96))
    assert image.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read_image(path, name="cats/scene.png").name == "cats/scene.png"


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_photos_are_turned_upright(kind: str, orientation: int) -> None:
    data = turned(kind, orientation, **({"lossless": True} if kind == "WEBP" else {}))
    image = decode(data, "photo")
    with Pillow.open(io.BytesIO(data)) as stored:
        expected = np.array(ImageOps.exif_transpose(stored))
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.notes == (f"rotated-{orientation}",)
    assert image.stored_size == image.pixels.shape[:2] == ((96, 64) if orientation >= 5 else (64, 96))


@pytest.mark.parametrize(
    ("orientation", "notes"),
    [(0, ("bad-orientation",)), (1, ()), (9, ("bad-orientation",)), (65535, ("bad-orientation",))],
)
def test_orientations_without_a_meaning_are_noted_and_left(orientation: int, notes: tuple[str, ...]) -> None:
    image = decode(turned("PNG", orientation), "photo")
    assert image.notes == notes
    np.testing.assert_array_equal(image.pixels, scene())


@pytest.mark.parametrize(
    ("size", "target", "shape"),
    [
        ((800, 1000), None, (800, 1000)),
        ((800, 1000), 201, (800, 1000)),  # half size would be 400, below twice the target
        ((800, 1000), 200, (400, 500)),
        ((800, 1000), 100, (200, 250)),
        ((800, 1000), 10, (100, 125)),  # one eighth is the least a JPEG offers
    ],
)
def test_a_large_jpeg_is_decoded_small_but_never_below_twice_the_target(
    size: tuple[int, int], target: int | None, shape: tuple[int, int]
) -> None:
    image = decode(jpeg(*size), "photo", target)
    assert image.pixels.shape[:2] == shape
    assert image.stored_size == size


def test_a_scaled_decode_is_turned_too() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    image = decode(jpeg(400, 800, exif=exif.tobytes()), "photo", 50)
    assert (image.pixels.shape, image.stored_size) == ((200, 100, 3), (800, 400))
    assert image.notes == ("rotated-6",)


def test_other_formats_ignore_the_target() -> None:
    assert decode(png(400, 400), "photo", 10).pixels.shape == (400, 400, 3)


def test_only_the_first_frame_is_read_and_that_is_noted() -> None:
    frames = [Pillow.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "PNG", "TIFF", "WEBP"):
        image = decode(saved(frames[0], kind, save_all=True, append_images=frames[1:]), kind)
        assert image.notes == ("first-frame",)
        assert np.abs(image.pixels.astype(int) - (255, 0, 0)).max() <= 2  # WebP is lossy


# Errors.


@pytest.mark.parametrize("target", [0, -5])
def test_the_target_must_be_a_size(target: int) -> None:
    with pytest.raises(BadInput, match=f"target_px must be at least 1, or None for the full picture. Got {target}"):
        decode(png(), "photo", target)


def test_what_is_no_regular_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind("socket.jpg")
        for name, what in (("pipe", "a pipe"), ("folder", "a folder"), ("zero", "a device"), ("socket", "system")):
            with pytest.raises(BadPicture, match=what) as caught:
                read_image(tmp_path / f"{name}.jpg")
            assert caught.value.code == "not-a-file"
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_what_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").symlink_to("b.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    (tmp_path / "file").touch()
    cases = {"none.jpg": "missing", "file/below.jpg": "missing", "a.jpg": "unreadable", "a" * 300: "unreadable"}
    for name, code in cases.items():
        with pytest.raises(BadPicture, match="the system says: ") as caught:
            read_image(tmp_path / name)
        assert caught.value.code == code
    with pytest.raises(BadPicture, match=r"unreadable \(the system says: .*null"):
        read_image(tmp_path / "null\0byte.jpg", name="x")

    def refuses(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuses)
    with pytest.raises(BadPicture, match=r"permission \(the system says: Permission denied\)"):
        read_image(tmp_path / "file")


def test_too_many_bytes_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(opener.MOST_BYTES + 2**20)  # a hole: takes no disk
    with pytest.raises(BadPicture, match=r"too-many-bytes \(513 MiB, the limit is 512\)"):
        read_image(path)
    monkeypatch.setattr(read, "MOST_BYTES", 100)
    with pytest.raises(BadPicture, match="too-many-bytes"):
        decode(png(), "photo")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(BadPicture, match=r"empty \(the file has 0 bytes"):
        read_image(tmp_path / "empty.jpg")
    with pytest.raises(BadPicture, match="empty"):
        decode(b"", "photo")


@pytest.mark.parametrize("name", ["photo", "photo.jpg"])
@pytest.mark.parametrize("data", [b"hello", b"\xff\xd8", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>", bytes(100)])
def test_the_content_decides_what_is_no_picture(data: bytes, name: str) -> None:
    with pytest.raises(BadPicture, match=rf"{name}: not-an-image \(its content is none of JPEG, PNG, .*HEIC\)"):
        decode(data, name)


def test_a_broken_header_names_the_format() -> None:
    with pytest.raises(BadPicture, match=r"not-an-image \(begins like PNG, but its header cannot be read: damaged"):
        decode(png_header(0, 10), "photo")
    with pytest.raises(BadPicture, match=r"not-an-image \(begins like GIF, but its header cannot be read: "):
        decode(b"GIF89a", "photo")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_half_a_file_is_truncated(share: float) -> None:
    for data in (jpeg(300, 400), jpeg(300, 400, progressive=True), saved(noise(), "PNG")):
        with pytest.raises(BadPicture, match=r"truncated \(the file ends before its pixels do"):
            decode(data[: int(len(data) * share)], "photo")


def noise() -> Pillow.Image:
    return Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8))


def test_damaged_pixels_are_corrupt() -> None:
    data = bytearray(png())
    data[60] ^= 255
    with pytest.raises(BadPicture, match=r"corrupt \(the decoder gave up: "):
        decode(bytes(data), "photo")


def test_a_header_that_asks_for_too_much_is_refused_before_any_pixel() -> None:
    with pytest.raises(BadPicture, match=r"too-many-pixels \(20000 x 10000 = 200 megapixels, the limit is 100"):
        decode(png_header(20000, 10000), "photo")
    with pytest.raises(BadPicture, match="131 megapixels, the limit is 100"):
        decode(jpeg_header(65500, 2000), "photo")
    with pytest.raises(BadPicture, match="131 megapixels, the limit is 100"):  # its coefficients would stay in memory
        decode(jpeg_header(65500, 2000, progressive=True), "photo", 224)
    with pytest.raises(BadPicture, match="655 megapixels, the limit is 400"):
        decode(jpeg_header(65500, 10000), "photo", 224)
    with pytest.raises(BadPicture, match="131 megapixels, the limit is 100"):
        decode(jpeg_header(65500, 2000), "photo", 1500)  # a draft would be below twice this target
    assert decode(jpeg_header(65500, 2000), "photo", 224).pixels.shape == (500, 16375, 3)


@pytest.mark.slow
def test_a_131_megapixel_phone_photo_is_read_small() -> None:
    data = saved(Pillow.new("RGB", (13100, 10000), (200, 100, 50)), "JPEG")
    image = decode(data, "photo", 224)
    assert image.pixels.shape == (1250, 1638, 3)
    assert np.abs(image.pixels.astype(int) - (200, 100, 50)).max() <= 2


def test_pillows_own_limit_is_neither_needed_nor_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 100)
    assert decode(png(), "photo").pixels.shape == (64, 96, 3)
    assert Pillow.MAX_IMAGE_PIXELS == 100
    data = bytearray(saved(Pillow.new("P", (4, 4)), "GIF"))
    at = data.rindex(b"\x2c\0\0\0\0")  # the frame's own size: 65535 x 65535 inside a canvas of 4 x 4
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(BadPicture, match="too-many-pixels"):
        decode(bytes(data), "photo")


def test_a_decoder_that_runs_out_of_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def greedy(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(read, "to_rgb", greedy)
    with pytest.raises(BadPicture, match=r"memory \(decoding it needs more memory"):
        decode(png(), "photo")
    (tmp_path / "a.png").write_bytes(png())
    monkeypatch.setattr(os, "fdopen", greedy)
    with pytest.raises(BadPicture, match=r"memory \(reading it needs more memory"):
        read_image(tmp_path / "a.png")


def test_frames_or_tiles_far_too_large_inside_a_small_header(monkeypatch: pytest.MonkeyPatch) -> None:
    def bomb(*_: object) -> None:
        raise Pillow.DecompressionBombError

    monkeypatch.setattr(read, "to_rgb", bomb)
    with pytest.raises(BadPicture, match=r"too-many-pixels \(a frame or tile inside it is far larger"):
        decode(png(), "photo")


def test_heic_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(BadPicture, match=r"not-an-image \(a HEIC photo needs .*pip install 'cutaway\[heic\]'\)"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "photo.heic")


# Real damaged files.


def test_every_bad_image_ends_as_expected(shared_data: Path, subtests: pytest.Subtests) -> None:
    root = shared_data / "bad-images"
    expected = json.loads((root / "expected.json").read_text())
    assert len(expected) >= 140
    heic = _has_heic()
    for name, entry in expected.items():
        if entry["format"] == "HEIF" and not heic:
            continue
        for target in (None, 32):
            with subtests.test(name, target=target):
                _ends_as(root / name, target, entry)


def _ends_as(path: Path, target: int | None, entry: dict[str, object]) -> None:
    if entry["outcome"] != "ok":
        with pytest.raises(BadPicture) as caught:
            read_image(path, target)
        assert caught.value.code == entry["outcome"]
        return
    image = read_image(path, target)
    assert list(image.notes) == entry["notes"]
    assert sorted(image.stored_size) == sorted(entry["size"])  # type: ignore[call-overload]
    assert image.pixels.shape[2] == 3
    if target is None:
        assert image.pixels.shape[:2] == image.stored_size


def _has_heic() -> bool:
    try:
        import pi_heif
    except ImportError:
        return False
    return bool(pi_heif)


def test_odd_names_links_and_pipes(shared_data: Path, tmp_path: Path) -> None:
    script = shared_data / "bad-images" / "make_bad.py"
    subprocess.run([sys.executable, script, "--traps", tmp_path], check=True, timeout=60)
    trouble = {
        "dir.jpg": "not-a-file",
        "pipe.jpg": "not-a-file",
        "zero.jpg": "not-a-file",
        "loop": "not-a-file",
        "loop_a.jpg": "unreadable",
        "loop_b.jpg": "unreadable",
        "dangling.jpg": "missing",
        "abs_link.jpg": "not-an-image",
        "e" * 90: "not-a-file",
    }
    codes = {}
    for entry in os.scandir(os.fsencode(tmp_path)):
        name = os.fsdecode(entry.name)
        try:
            assert read_image(tmp_path / name).pixels.shape == (64, 96, 3)
        except BadPicture as error:
            codes[name] = error.code
            str(error).encode("utf-8")  # can be printed
    assert codes == trouble
    deep = tmp_path.joinpath(*["e" * 90] * 50, "deep.jpg")  # 4,550 bytes: longer than the system takes
    with pytest.raises(BadPicture, match=r"unreadable \(the system says: File name too long\)"):
        read_image(deep)
    assert read_image(Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad_utf8_\xff\xfe.jpg")).absolute()).name.endswith(
        "bad_utf8_\ufffd\ufffd.jpg"
    )
