from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.dataset.folder import FolderStore
from cutaway.dataset.identity import apply_folds, fingerprint, fold_fingerprint, folds_document
from cutaway.dataset.samples import FOLDS, Dataset, Sample
from cutaway.errors import BadInput

ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1), st.sampled_from(FOLDS)), min_size=1, max_size=20)


def made(rows: list[tuple[int, int, str]]) -> tuple[Dataset, list[str | None]]:
    samples = tuple(Sample(f"{i}.png", label, fold, "") for i, (_, label, fold) in enumerate(rows))  # type: ignore[arg-type]
    return Dataset("pets", ("cat", "dog"), samples, FolderStore("")), [f"sha{sha}" for sha, _, _ in rows]


@given(rows=ROWS)
@settings(deadline=None)
def test_stored_folds_come_back_from_json(rows: list[tuple[int, int, str]]) -> None:
    data, shas = made(rows)
    document = json.loads(json.dumps(folds_document(data, shas)))
    bare = dataclasses.replace(data, samples=tuple(dataclasses.replace(s, fold=None) for s in data.samples))
    assert apply_folds(bare, shas, document).samples == data.samples


def test_folds_follow_files_that_were_renamed_and_new_ones_have_none() -> None:
    data, shas = made([(1, 0, "train"), (2, 1, "test"), (3, 1, "val")])
    document = folds_document(data, shas)
    assert document["pictures"]["sha2"] == {"fold": "test", "label": "dog"}
    assert document["classes"] == ["cat", "dog"]
    moved = tuple(dataclasses.replace(s, name=f"moved/{s.name}", fold=None) for s in reversed(data.samples))
    moved += (Sample("new.png", 0, None, ""), Sample("broken.png", 0, None, ""))
    got = apply_folds(dataclasses.replace(data, samples=moved), [*reversed(shas), "sha4", None], document)
    assert [s.fold for s in got.samples] == ["val", "test", "train", None, None]


def test_a_picture_that_could_not_be_read_is_left_out() -> None:
    data, shas = made([(1, 0, "train"), (2, 1, "test")])
    assert list(folds_document(data, [shas[0], None])["pictures"]) == ["sha1"]


@given(rows=ROWS, order=st.randoms())
@settings(deadline=None)
def test_the_fingerprint_knows_content_label_and_fold_but_no_order(
    rows: list[tuple[int, int, str]], order: object
) -> None:
    shas, labels, folds = ([str(r[c]) for r in rows] for c in range(3))
    mixed = list(rows)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    again = fingerprint(*([str(r[c]) for r in mixed] for c in range(3)))
    assert fingerprint(shas, labels, folds) == again
    assert len(again) == 64
    assert fingerprint([*shas[:-1], "other"], labels, folds) != again
    assert fingerprint(shas, [*labels[:-1], "other"], folds) != again
    assert fingerprint(shas, labels, [*folds[:-1], "other"]) != again


def test_the_fingerprint_of_the_test_fold_ignores_the_others() -> None:
    data, shas = made([(1, 0, "train"), (2, 1, "test"), (3, 0, "test")])
    other, other_shas = made([(9, 0, "val"), (3, 0, "test"), (2, 1, "test"), (7, 1, "train")])
    assert fold_fingerprint(data, shas, "test") == fold_fingerprint(other, other_shas, "test")
    assert fold_fingerprint(data, shas, "test") != fold_fingerprint(data, shas, "train")


def test_documents_that_do_not_fit_are_told() -> None:
    data, shas = made([(1, 0, "train"), (2, 1, "test")])
    with pytest.raises(BadInput, match="The stored folds have format 'x'; this version reads 'cutaway-folds-1'"):
        apply_folds(data, shas, {"format": "x", "pictures": {}})
    with pytest.raises(BadInput, match="None of the 2 pictures in pets is among the 2 pictures of the stored folds"):
        apply_folds(data, ["a", "b"], folds_document(data, shas))
