"""One network of each family of torchvision and timm: the library's own output, or refused as the list says (slow)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from cutaway.zoo import networks

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "network_table.py"


@pytest.fixture(scope="module")
def table() -> Any:
    spec = importlib.util.spec_from_file_location("network_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["network_table"] = module
    spec.loader.exec_module(module)
    return module


def test_small_networks_of_both_libraries_are_held_exactly(table: Any) -> None:
    rows = {row.name: row for row in networks()}
    for name in ("tutorial-cifar", "squeezenet1_1", "test_efficientnet"):
        result = table.tried(rows[name])
        assert (result.reason, result.difference) == ("", 0.0)
        assert result.steps > 10


def test_the_page_and_the_list_say_the_same(table: Any) -> None:
    page = (SCRIPT.parents[1] / "docs" / "networks.md").read_text(encoding="utf-8")
    held, refused = page.split("Refused:")
    families = table.libraries.families(networks())
    for family, rows in families.items():
        assert f"| {family} | {len(rows)} | {rows[0].name} |" in (held if rows[0].held else refused)
        assert len({row.held for row in rows}) == 1
    assert held.count("| 0 |\n") == sum(rows[0].held for rows in families.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_family_is_held_exactly_or_refused_as_listed(table: Any) -> None:
    for family, rows in table.libraries.families(networks()).items():
        result = table.tried(rows[0])
        assert (result.difference, not result.reason) == (0.0, rows[0].held), (family, result)
