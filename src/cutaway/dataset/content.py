"""Files of a folder -> the formats of their contents, by first bytes: for finding endings that say something else."""

from __future__ import annotations

from cutaway.dataset.folder import FolderStore
from cutaway.dataset.samples import Dataset
from cutaway.image.kind import HEAD_BYTES, kind_of_head


def formats(dataset: Dataset) -> tuple[str, ...]:
    """Dataset over a folder -> format of each sample's content ("" unknown or unreadable); () for other stores."""
    store = dataset.store
    if not isinstance(store, FolderStore):
        return ()
    return tuple(_format(store.path(sample)) for sample in dataset.samples)


def _format(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  names that are no UTF-8, and 10 times quicker
            return kind_of_head(file.read(HEAD_BYTES))
    except (OSError, ValueError):
        return ""
