"""The one loading path: a file or its bytes -> one upright sRGB picture, or a BadPicture that names the file.

The order of the steps is part of it: nothing is opened that could block, nothing is decoded whose header asks for too
much, the content decides what a file is, and whatever a damaged file makes a decoder do ends as one of the codes of
`errors.PictureCode`. Measured in the project's notes on photos: 2,600 mutated files, no crash, no hang, no other error.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFile

from cutaway.errors import BadPicture, PictureCode, must_be
from cutaway.image.colour import to_rgb
from cutaway.image.opener import MOST_BYTES, check_pixels, empty, is_jpeg, open_header
from cutaway.image.picture import Image
from cutaway.image.quiet import quiet_decoders

ORIENTATION = 0x0112
_UPRIGHT = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}


def read_image(path: Path, target_px: int | None = None, *, name: str | None = None) -> Image:
    """Path of a file -> its picture, uint8 (H, W, 3), sRGB, upright.

    `target_px`: the caller will shrink the short side to about this many pixels; a large JPEG is then decoded at 1/2,
    1/4 or 1/8 size, never below twice the target. `name` is what the picture and its errors are called (the path).
    Raises BadPicture with one of errors.PictureCode, nothing else whatever the file holds; never waits for a pipe.
    """
    shown = shown_name(path) if name is None else name
    return decode(file_bytes(path, shown), shown, target_px)


def decode(data: bytes, name: str, target_px: int | None = None) -> Image:
    """A file's bytes, what to call it -> its picture. As `read_image`, for bytes out of a table or an archive."""
    return decode_through(data, name, target_px, lambda upright: upright)


def shown_name(path: Path) -> str:
    """Path -> text that can be printed and stored, also where the name's bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def decode_through(
    data: bytes, name: str, target_px: int | None, last: Callable[[Pillow.Image], Pillow.Image]
) -> Image:
    """As `decode`; `last` works on the upright RGB picture inside Pillow, before its pixels are copied out."""
    if target_px is not None and target_px < 1:
        raise must_be("target_px", "at least 1, or None for the full picture", target_px)
    if len(data) > MOST_BYTES:
        raise _too_many_bytes(name, len(data))
    try:
        with quiet_decoders():
            return _decode(data, name, target_px, last)
    except BadPicture:
        raise
    except MemoryError:
        raise BadPicture(name, "memory", "decoding it needs more memory than this process may use") from None
    except Pillow.DecompressionBombError:  # Pillow's own check of what the header does not say: GIF frames, TIFF tiles
        raise BadPicture(name, "too-many-pixels", "a frame or tile inside it is far larger than any photo") from None
    except Exception as error:  # a damaged file can make a parser raise anything
        raise _broken(name, error) from None


def _decode(data: bytes, name: str, target_px: int | None, last: Callable[[Pillow.Image], Pillow.Image]) -> Image:
    picture = open_header(data, name)
    check_pixels(picture, name, scaled=target_px is not None)
    full = picture.size
    if target_px is not None and is_jpeg(picture):
        picture.draft(None, (2 * target_px, 2 * target_px))
        check_pixels(picture, name, scaled=False)
    drafted = picture.size != full
    turn_before = _orientation(picture) if picture.format == "TIFF" else None
    picture.load()
    turn = _orientation(picture)
    rgb, colour_notes = to_rgb(_turned(picture, turn))
    return Image(
        pixels=np.array(last(rgb)),  # (H, W, 3)
        name=name,
        sha256=hashlib.sha256(data).hexdigest(),
        notes=(*_frame_note(picture), *_turn_note(turn_before or turn), *colour_notes),
        stored_size=_upright_size(full, turn) if drafted else (rgb.height, rgb.width),
    )


def _orientation(picture: ImageFile.ImageFile) -> object:
    """Loaded picture -> its EXIF (or XMP) orientation as stored, None where there is none that can be read.

    A TIFF is asked before it is loaded as well: Pillow turns it upright in `load` and forgets the number.
    """
    try:
        return picture.getexif().get(ORIENTATION)
    except Exception:  # damaged EXIF does not make the pixels worse
        return None


def _turned(picture: Pillow.Image, turn: object) -> Pillow.Image:
    return picture.transpose(_UPRIGHT[turn]) if isinstance(turn, int) and turn in _UPRIGHT else picture


def _turn_note(turn: object) -> list[str]:
    if turn is None or turn == 1:
        return []
    return [f"rotated-{turn}"] if turn in _UPRIGHT else ["bad-orientation"]


def _upright_size(size: tuple[int, int], turn: object) -> tuple[int, int]:
    """(width, height) as stored, orientation -> (height, width) as seen."""
    width, height = size
    return (width, height) if turn in (5, 6, 7, 8) else (height, width)


def _frame_note(picture: ImageFile.ImageFile) -> list[str]:
    """Asked last: a GIF finds out by moving on to its second frame."""
    try:
        more = bool(getattr(picture, "is_animated", False))
    except Exception:  # there is a second frame, and it is damaged
        more = True
    return ["first-frame"] if more else []


def _broken(name: str, error: Exception) -> BadPicture:
    said = " ".join(str(error).split()) or type(error).__name__
    if "truncated" in said.lower():
        return BadPicture(name, "truncated", "the file ends before its pixels do: copy or download it again")
    return BadPicture(name, "corrupt", f"the decoder gave up: {said}")


def file_bytes(path: Path, name: str) -> bytes:
    """Path -> all bytes of the regular file there, or BadPicture. O_NONBLOCK: opening a pipe must not wait."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
    try:
        handle = os.open(path, flags)
        try:
            _check_file(os.fstat(handle), name)
            with os.fdopen(handle, "rb", buffering=0, closefd=False) as file:
                return bytes(file.read())
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise BadPicture(name, _code_of(error), _why(error)) from None
    except MemoryError:
        raise BadPicture(name, "memory", "reading it needs more memory than this process may use") from None


def _check_file(about: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise BadPicture(name, "not-a-file", f"it is {_kind(about.st_mode)}: pass a picture file")
    if about.st_size > MOST_BYTES:
        raise _too_many_bytes(name, about.st_size)
    if about.st_size == 0:  # before reading: /proc has endless files of size 0
        raise empty(name)


def _too_many_bytes(name: str, found: int) -> BadPicture:
    return BadPicture(name, "too-many-bytes", f"{found / 2**20:,.0f} MiB, the limit is {MOST_BYTES / 2**20:.0f}")


_CODES: dict[int, PictureCode] = {
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.ENXIO: "not-a-file",  # a socket
    errno.EISDIR: "not-a-file",
}


def _code_of(error: Exception) -> PictureCode:
    return _CODES.get(error.errno or 0, "unreadable") if isinstance(error, OSError) else "unreadable"


def _why(error: Exception) -> str:
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f"the system says: {said}"


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "no regular file")
