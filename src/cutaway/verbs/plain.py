"""What verbs give, and what they tell on the way -> JSON values: what `--json` prints and the studio sends."""

from __future__ import annotations

import dataclasses
import math
from typing import Any


def to_plain(value: Any) -> Any:
    """Result, event or any part of one -> JSON values. What has `to_dict` says itself; NaN and infinity become null."""
    if hasattr(value, "to_dict"):
        return to_plain(value.to_dict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no NaN
    return value if isinstance(value, bool | int | float | str | None) else str(value)
