"""A data set and its folds by content: fingerprints, and a document that reproduces a split after files have moved."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

from cutaway.dataset.samples import FOLDS, Dataset, Fold
from cutaway.dataset.words import count, none_of
from cutaway.errors import BadInput

FORMAT = "cutaway-folds-1"


def fingerprint(sha256s: Sequence[str | None], labels: Sequence[int | str | None], folds: Sequence[str | None]) -> str:
    """Digest, label and fold of each picture -> hex digest of the set; order and names of files don't matter."""
    rows = sorted(f"{sha} {fold} {label}" for sha, label, fold in zip(sha256s, labels, folds, strict=True))
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogatepass")).hexdigest()


def fold_fingerprint(dataset: Dataset, sha256s: Sequence[str | None], fold: Fold) -> str:
    """Dataset, digests, fold -> fingerprint of that fold alone, with class names as labels: what a ledger counts by."""
    rows = [(sha, _label(dataset, s.label)) for sha, s in zip(sha256s, dataset.samples, strict=True) if s.fold == fold]
    return fingerprint([sha for sha, _ in rows], [label for _, label in rows], [fold] * len(rows))


def folds_document(dataset: Dataset, sha256s: Sequence[str | None]) -> dict[str, Any]:
    """Split Dataset, digest of each picture -> JSON-able {"pictures": {sha256: {"fold", "label"}}, ...}.

    Where one content is there twice with different folds or labels, "exceptions" holds the later ones by name.
    Pictures without a digest (they could not be read) are left out.
    """
    pictures: dict[str, dict[str, str | None]] = {}
    exceptions: dict[str, dict[str, str | None]] = {}
    for sha, sample in sorted(
        ((sha, s) for sha, s in zip(sha256s, dataset.samples, strict=True) if sha), key=lambda r: r[1].name
    ):
        row = {"fold": sample.fold, "label": _label(dataset, sample.label)}
        if pictures.setdefault(sha, dict(row)) != row:
            exceptions[sample.name] = {"sha256": sha, **row}
    ordered = {sha: pictures[sha] for sha in sorted(pictures)}
    return {"format": FORMAT, "classes": list(dataset.classes), "pictures": ordered, "exceptions": exceptions}


def apply_folds(dataset: Dataset, sha256s: Sequence[str | None], document: dict[str, Any]) -> Dataset:
    """Dataset, digests, `folds_document` -> the Dataset with the folds of then; pictures it does not know get None.

    Labels stay as they are now. Raises BadInput when the document is not one, or knows none of the pictures.
    """
    pictures, exceptions = document.get("pictures"), document.get("exceptions", {})
    if document.get("format") != FORMAT or not isinstance(pictures, dict):
        raise BadInput(f"The stored folds have format {document.get('format')!r}; this version reads {FORMAT!r}.")
    folds: list[Fold | None] = []
    for sha, sample in zip(sha256s, dataset.samples, strict=True):
        row = exceptions.get(sample.name)
        if row is None or row.get("sha256") != sha:
            row = pictures.get(sha, {})
        folds.append(row.get("fold") if row.get("fold") in FOLDS else None)
    if not any(folds):
        raise BadInput(
            f"{none_of(len(dataset), 'picture')} in {dataset.root} is among the "
            f"{count(len(pictures), 'picture')} of the stored folds; give the data that the split was made of."
        )
    samples = tuple(dataclasses.replace(s, fold=f) for s, f in zip(dataset.samples, folds, strict=True))
    return dataclasses.replace(dataset, samples=samples)


def _label(dataset: Dataset, label: int | None) -> str | None:
    return None if label is None else dataset.classes[label]
