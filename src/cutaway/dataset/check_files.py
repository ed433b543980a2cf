"""Checks of single files: unreadable, odd, almost one colour, passed over while scanning."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.duplicates import FLAT
from cutaway.dataset.evidence import Evidence
from cutaway.dataset.samples import Dataset
from cutaway.dataset.words import count, some
from cutaway.reports import Finding

WHY = {
    "missing": "is not there any more",
    "permission": "may not be read by this user",
    "unreadable": "cannot be read from the disk",
    "not-a-file": "is no ordinary file",
    "empty": "is empty",
    "too-many-bytes": "is larger than any photo",
    "too-many-pixels": "has more pixels than any photo",
    "not-an-image": "is not a picture, whatever its ending says",
    "truncated": "ends too early, as after a broken copy or download",
    "corrupt": "is damaged",
    "memory": "needs more memory than a picture may take",
    "crashed": "makes the decoder crash",
    "timeout": "takes too long to decode",
}
ODD = {
    "rotated": "stored lying or mirrored and turned upright as its camera noted; many programs ignore that note",
    "first-frame": "an animation, of which only the first frame is used",
    "alpha-flattened": "partly transparent and put on white; give it a background of your own if white is wrong",
    "depth-scaled": "stored with more than 8 bits per colour and scaled down to 8",
    "bad-orientation": "marked with an orientation that does not exist; look whether it is upright",
}
ENDINGS = {
    "JPEG": ("jpg", "jpeg", "jfif", "jpe"),
    "MPO": ("jpg", "jpeg", "mpo"),
    "PNG": ("png", "apng"),
    "WEBP": ("webp",),
    "GIF": ("gif",),
    "BMP": ("bmp", "dib"),
    "TIFF": ("tif", "tiff"),
    "AVIF": ("avif", "avifs"),
    "HEIF": ("heic", "heif", "hif"),
}


def unreadable(dataset: Dataset, evidence: Evidence) -> list[Finding]:
    """One finding per reason, naming every file; one more, severity stop, per class without a readable picture."""
    by_code: dict[str, list[str]] = defaultdict(list)
    for failure in evidence.failures:
        by_code[failure.code].append(failure.name)
    found = [_no_picture(name, size) for name, size in _unreadable_classes(dataset, evidence)]
    for code, names in sorted(by_code.items(), key=lambda item: (-len(item[1]), item[0])):
        what = (
            f"{count(len(names), 'file')} cannot be used, because {_each(names)} {WHY[code]} ({code}): {some(names)}."
        )
        text = f"{what} Training leaves {_it(names)} out; replace or delete {_it(names)} to be rid of this line."
        numbers = {"files": float(len(names)), "of": float(len(dataset))}
        found.append(Finding("unreadable", "warn", text, tuple(names), numbers=numbers))
    return found


def odd(dataset: Dataset, evidence: Evidence) -> list[Finding]:
    """Files that were read with something done to them, or whose ending says another format than their content."""
    by_note: dict[str, list[str]] = defaultdict(list)
    for sample, notes in zip(dataset.samples, evidence.notes, strict=False):
        for note in notes:
            by_note["rotated" if note.startswith("rotated-") else note].append(sample.name)
    found = []
    for note, names in sorted(by_note.items()):
        done = ODD.get(note, f"read with the note {note!r}")
        each = "" if len(names) == 1 else "each "
        text = f"{count(len(names), 'picture')}, {each}{done}: {some(names)}."
        found.append(Finding("odd", "info", text, tuple(names), numbers={"pictures": float(len(names))}))
    return found + _wrong_endings(dataset, evidence)


def near_constant(dataset: Dataset, evidence: Evidence, spread: NDArray[np.float32]) -> list[Finding]:
    """Pictures whose luma varies by less than FLAT grey levels; `spread` (N,) is its standard deviation."""
    flat = np.nonzero(evidence.ok & (spread < FLAT))[0]
    if not len(flat):
        return []
    names = tuple(dataset.samples[i].name for i in flat)
    text = (
        f"{count(len(flat), 'picture')} of almost one colour (luma varies by less than {FLAT:g} of 255 grey levels): "
        f"{some(names)}. There is nothing to learn from {_it(names)}: leave {_it(names)} out."
    )
    return [Finding("near-constant", "warn", text, names, numbers={"pictures": float(len(flat))})]


def skipped(dataset: Dataset) -> list[Finding]:
    """What the scan passed over, one finding per reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in dataset.skipped:
        by_reason[reason].append(name)
    return [
        Finding(
            "skipped",
            "info",
            f"Passed over {some(names)}: {reason}.",
            tuple(names),
            numbers={"files": float(len(names))},
        )
        for reason, names in sorted(by_reason.items())
    ]


def _wrong_endings(dataset: Dataset, evidence: Evidence) -> list[Finding]:
    by_format: dict[str, list[str]] = defaultdict(list)
    for sample, kind in zip(dataset.samples, evidence.formats, strict=False):
        stem, dot, ending = sample.name.rpartition(".")
        known = any(ending.lower() in endings for endings in ENDINGS.values())
        if stem and dot and known and kind in ENDINGS and ending.lower() not in ENDINGS[kind]:
            by_format[kind].append(sample.name)
    return [
        Finding(
            "odd",
            "info",
            f"{count(len(names), 'file')} with {kind} content under another ending: {some(names)}. Cutaway goes by the "
            f"content; rename {_it(names)} to .{ENDINGS[kind][0]} for programs that go by the name.",
            tuple(names),
            numbers={"pictures": float(len(names))},
        )
        for kind, names in sorted(by_format.items())
    ]


def _unreadable_classes(dataset: Dataset, evidence: Evidence) -> list[tuple[str, int]]:
    """(class name, its files) of the classes that have files and not one readable picture."""
    there = Counter(sample.label for sample in dataset.samples if sample.label is not None)
    readable = Counter(
        s.label for s, ok in zip(dataset.samples, evidence.ok, strict=True) if ok and s.label is not None
    )
    return [(dataset.classes[label], size) for label, size in sorted(there.items()) if not readable[label]]


def _no_picture(name: str, size: int) -> Finding:
    text = (
        f"No picture of class {name!r} can be read ({count(size, 'file')}): a classifier cannot learn it. Replace its "
        f"files or take the class out."
    )
    return Finding("unreadable", "stop", text, numbers={"files": float(size)})


def _each(names: list[str]) -> str:
    return "it" if len(names) == 1 else "each"


def _it(names: list[str] | tuple[str, ...]) -> str:
    return "it" if len(names) == 1 else "them"
