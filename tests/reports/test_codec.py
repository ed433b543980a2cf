"""A report written and read back is the same report; anything else is one sentence."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cutaway.errors import BadInput
from cutaway.reports import Report
from cutaway.reports.codec import from_json, to_json


def strict(value: object) -> object:
    """Types seen by equality too: (1,) == [1] is False already, 1 == 1.0 is not."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: strict(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {k: strict(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return ("tuple", *map(strict, value))
    return type(value).__name__, value


finite = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(float, finite)
reports = st.from_type(Report)


@given(reports)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_round_trip_is_exact(report: Report) -> None:
    text = to_json(report)
    assert strict(from_json(text)) == strict(report)
    assert to_json(from_json(text)) == text


def small(**changes: object) -> Report:
    report = Report(
        title="t", created="2026-11-20", command="cutaway train x", recipe={}, network="", network_name="n",
        parameters=1, trainable=1, contract="", classes=("a",), counts={"test": {"a": 1}}, findings=(), epochs=(),
        val=None, test=None, looks=0, baselines=(), diagnoses=(), environment={}, timings={"train": 1.5},
        peak_memory_mb=1.0,
    )  # fmt: skip
    return dataclasses.replace(report, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_json_does_not_have_become_null_and_then_nan(bad: float) -> None:
    text = to_json(small(peak_memory_mb=bad))
    assert json.loads(text, parse_constant=lambda word: pytest.fail(word))["peak_memory_mb"] is None
    assert math.isnan(from_json(text).peak_memory_mb)


def test_text_of_any_script_survives() -> None:
    assert from_json(to_json(small(classes=("Katze 😺", "<b>&\u2028")))).classes == ("Katze 😺", "<b>&\u2028")


def test_a_file_name_that_is_not_utf8_can_be_written() -> None:
    text = to_json(small(classes=("caf\udce9",)))
    assert from_json(text.encode().decode()).classes == ("caf\udce9",)


def altered(**changes: object) -> str:
    return json.dumps(json.loads(to_json(small())) | changes)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", r"A report must be JSON text\. Got something else \(Expecting value"),
        ("[]", r"report must be an object\. Got \[\]"),
        ("{}", r"report\.title is missing: it was written by another version"),
        (altered(colour="red"), r"report\.colour is not a field of a Report: it was written by another version"),
        (altered(parameters="many"), r"report\.parameters must be of type int\. Got 'many'"),
        (altered(parameters=True), r"report\.parameters must be of type int\. Got True"),
        (altered(peak_memory_mb="x"), r"report\.peak_memory_mb must be a number\. Got 'x'"),
        (altered(classes="a"), r"report\.classes must be a list\. Got 'a'"),
        (altered(counts={"test": {"a": 1.5}}), r"report\.counts\.test\.a must be of type int\. Got 1\.5"),
        (
            altered(findings=[{"kind": "k", "severity": "loud", "text": ""}]),
            r"report\.findings\[0\]\.severity must be one of 'stop', 'warn', 'info'\. Got 'loud'",
        ),
        (
            altered(findings=[{"kind": "k", "severity": "info", "text": "", "pairs": [["a"]]}]),
            r"report\.findings\[0\]\.pairs\[0\] must hold 2 values\. Got 1",
        ),
    ],
)
def test_what_is_not_a_report_is_told_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        from_json(text)


def test_a_field_with_a_default_may_be_missing() -> None:
    text = altered(findings=[{"kind": "k", "severity": "info", "text": "t"}])
    assert from_json(text).findings[0].pairs == ()
