"""What the page is typed and coloured by is what Python says now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import studio_types
from scripts.studio_types import ROOT, TYPES, messages, missing, openapi, texts, typescript

AGAIN = "is not what Python makes now; '.venv/bin/python scripts/studio_types.py' renews it"


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.name)
def test_generated_files_are_fresh(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == texts()[path], f"{path.relative_to(ROOT)} {AGAIN}"


def test_types_are_those_of_the_schema() -> None:
    if (reason := missing()) is not None:
        pytest.skip(reason)
    assert TYPES.read_text(encoding="utf-8") == typescript(studio_types.OPENAPI), f"{TYPES.relative_to(ROOT)} {AGAIN}"


def test_the_schema_is_the_same_every_time_and_names_no_version() -> None:
    from cutaway import __version__

    assert openapi() == openapi()
    assert __version__ not in json.dumps(openapi()["info"])


def test_messages_of_the_socket_are_in_it() -> None:
    assert {"LiveRequest", "MapHead", "AnswerHead", "RefusedHead"} <= messages().keys() & openapi()["components"][
        "schemas"
    ].keys()


def test_the_page_may_leave_out_defaults_and_the_server_never_does() -> None:
    schemas = openapi()["components"]["schemas"]
    assert schemas["LiveRequest"]["required"] == ["model", "seq"]
    assert schemas["About"]["required"] == ["model"]
    for name in ("MapHead", "Told"):
        assert set(schemas[name]["required"]) == set(schemas[name]["properties"]), name


def test_every_address_has_a_type_of_its_own() -> None:
    names = [o["operationId"] for methods in openapi()["paths"].values() for o in methods.values()]
    assert len(names) == len(set(names))
