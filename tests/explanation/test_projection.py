"""Places on a plane: the same for the same seed to the bit, neighbours together, random state untouched."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from cutaway.dataset.steps import result_of
from cutaway.errors import BadInput, MissingExtra
from cutaway.events import Progress
from cutaway.explanation.map_quality import map_quality
from cutaway.explanation.projection import project

DIGITS = load_digits()
POINTS = DIGITS.data[:200].astype(np.float32)


def test_pca_is_scikit_learns_and_says_what_it_holds() -> None:
    made = result_of(project(POINTS, "pca"))
    expected = PCA(2).fit(POINTS.astype(np.float64))
    np.testing.assert_allclose(made.xy, expected.transform(POINTS.astype(np.float64)), atol=1e-9)
    assert f"{expected.explained_variance_ratio_.sum():.1%}" in made.meaning


def test_tsne_gives_the_same_bits_for_the_same_seed_and_others_for_another() -> None:
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[index]
    first, again, other = (result_of(project(POINTS, "tsne", seed=s)).xy for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # type: ignore[index]
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_tsne_lays_neighbours_together_and_tells_how_far_it_is() -> None:
    events, steps = [], project(POINTS, "tsne")
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            made = end.value
            break
    assert events[-1] == Progress("t-SNE", 750, 750, "iterations")
    assert made.settings == {"seed": 0, "perplexity": 30.0, "iterations": 750, "components": 50}
    flat = result_of(project(POINTS, "pca"))
    trust = [result_of(map_quality(POINTS, m.xy)).trustworthiness for m in (made, flat)]
    assert trust[0] > 0.97 > trust[1]  # measured 0.984 and 0.846


def test_few_pictures_get_a_smaller_perplexity() -> None:
    made = result_of(project(POINTS[:7], "tsne"))
    assert made.settings["perplexity"] == 2.0
    assert np.isfinite(made.xy).all()


def test_copies_and_a_single_number_are_laid_out_too() -> None:
    copies = np.repeat(POINTS[:5], 4, axis=0)
    assert np.isfinite(result_of(project(copies, "tsne")).xy).all()
    line = POINTS[:20, 20:21] + np.arange(20, dtype=np.float32)[:, None]
    for method in ("tsne", "pca"):
        assert result_of(project(line, method)).xy.shape == (20, 2)


@pytest.mark.slow
def test_umap_gives_the_same_bits_for_the_same_seed() -> None:
    pytest.importorskip("umap")
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    first, again = (result_of(project(POINTS, "umap", seed=3)) for _ in range(2))
    assert np.array_equal(first.xy, again.xy)
    assert result_of(map_quality(POINTS, first.xy)).trustworthiness > 0.95
    assert np.array_equal(np.random.get_state()[1], state)  # type: ignore[index]
    assert result_of(project(POINTS[:6], "umap")).xy.shape == (6, 2)


def test_bad_input_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r"method must be tsne, umap, pca. Got 'mds'"):
        result_of(project(POINTS, "mds"))
    with pytest.raises(BadInput, match=r"A map must be made of at least 5 pictures that can be read. Got 4"):
        result_of(project(POINTS[:4], "pca"))
    with pytest.raises(
        BadInput, match=r"All 6 pictures have the same vector in this layer, so there is nothing to lay out"
    ):
        result_of(project(np.ones((6, 3), np.float32), "tsne"))
    plain = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "umap":
            raise ImportError(name)
        return plain(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"A map by UMAP needs an optional library .* pip install 'cutaway\[umap\]'"):
        result_of(project(POINTS, "umap"))
