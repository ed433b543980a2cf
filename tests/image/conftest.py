"""The helpers of this room's tests are imported by name, by the tests and by the worker processes they start."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.append(HERE)
