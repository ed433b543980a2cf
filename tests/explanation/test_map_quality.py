"""Neighbours and what a map is worth, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from cutaway.dataset.steps import result_of
from cutaway.explanation import neighbours
from cutaway.explanation.map_quality import map_quality
from cutaway.explanation.neighbours import distance_rows, nearest, smallest, voted

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(150, 7)) + 40  # far from zero, where the square of a distance loses digits
LABELS = RNG.integers(0, 3, 150)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ROWS", 64)  # several rounds, the last one not full


def test_neighbours_are_scikit_learns() -> None:
    near, far = result_of(nearest(POINTS.astype(np.float32), 9))
    distances, expected = NearestNeighbors(n_neighbors=9).fit(POINTS.astype(np.float32)).kneighbors()
    assert np.array_equal(near, expected)
    np.testing.assert_allclose(far, distances, atol=1e-5)


def test_distances_to_itself_are_infinite_and_to_a_copy_nothing() -> None:
    points = np.vstack([POINTS[:70], POINTS[:1]])
    rows = list(distance_rows(points))
    assert [r[0] for r in rows] == [slice(0, 64), slice(64, 71)]
    assert np.isinf(np.concatenate([r[1] for r in rows]).diagonal()).all()
    assert rows[0][1][0, 70] == pytest.approx(0, abs=1e-12)


def test_the_smallest_come_in_order_and_of_equals_the_first() -> None:
    assert smallest(np.array([[3.0, 1.0, 2.0, 1.0, 9.0]]), 3).tolist() == [[1, 3, 2]]


def test_the_commonest_label_wins_and_of_equals_the_nearest() -> None:
    assert voted(np.array([[2, 0, 0], [1, 2, 0], [2, 1, 1]]), 3).tolist() == [0, 1, 1]
    assert voted(np.array([[0, 1, 1, 0], [1, 0, 0, 1]]), 2).tolist() == [0, 1]


@pytest.mark.parametrize("k", [1, 5, 10])
def test_trustworthiness_is_scikit_learns(k: int) -> None:
    flat = POINTS[:, :2] + RNG.normal(size=(150, 2))
    found = result_of(map_quality(POINTS, flat, LABELS, k=k))
    assert found.trustworthiness == pytest.approx(trustworthiness(POINTS, flat, n_neighbors=k), abs=1e-12)


def test_neighbours_kept_and_named_rightly_are_counted_as_by_hand() -> None:
    flat = POINTS[:, :2]
    found = result_of(map_quality(POINTS, flat, LABELS, k=5))
    in_layer = NearestNeighbors(n_neighbors=5).fit(POINTS).kneighbors(return_distance=False)
    on_map = NearestNeighbors(n_neighbors=5).fit(flat).kneighbors(return_distance=False)
    kept = np.mean([len({*a} & {*b}) / 5 for a, b in zip(in_layer, on_map, strict=True)])
    assert found.kept == pytest.approx(kept)
    assert found.kept_by_chance == pytest.approx(5 / 149)
    assert np.allclose(found.agree, (LABELS[in_layer] == LABELS[:, None]).mean(1))
    # leave-one-out by scikit-learn: 1 nearest, where no vote can be tied
    one = result_of(map_quality(POINTS, flat, LABELS, k=1))
    knn = KNeighborsClassifier(1)
    right = sum(
        knn.fit(np.delete(POINTS, i, 0), np.delete(LABELS, i)).predict(POINTS[i : i + 1])[0] == LABELS[i]
        for i in range(150)
    )
    assert (one.judged, one.knn_layer) == (150, right)


def test_the_same_places_are_a_perfect_map() -> None:
    found = result_of(map_quality(POINTS, POINTS, None))
    assert (found.trustworthiness, found.kept, found.judged, found.knn_layer, found.knn_map) == (1, 1, 0, None, None)
    assert np.isnan(found.agree).all()
    assert found.to_dict()["knn_map"] is None


def test_pictures_without_a_label_are_not_judged_and_vote_for_no_class() -> None:
    points = np.array([[0.0, 0], [1, 0], [0, 1], [9, 9], [9, 8], [8, 9], [0.5, 0.5]])
    labels = np.array([0, 0, 0, 1, 1, 1, -1])
    found = result_of(map_quality(points, points, labels, k=2))
    assert (found.judged, found.k) == (6, 2)
    assert found.among.tolist()[3:6] == [1, 1, 1]
    assert np.isnan(found.agree[6])


def test_k_is_what_few_pictures_allow() -> None:
    assert result_of(map_quality(POINTS[:7], POINTS[:7], None)).k == 3
