"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Two shared cores: how long one example takes says nothing. Speed is measured in benchmarks/.
settings.register_profile("shared-cores", deadline=None)
settings.load_profile("shared-cores")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A failed page test is run once more (Chromium and other tests share two cores); the run names it at its end."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the person's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUTAWAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real inputs beside the project; tests that need them skip where they are absent."""
    if not SHARED.is_dir():
        pytest.skip(f"real inputs are not there: {SHARED}")
    return SHARED
