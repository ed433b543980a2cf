"""Writes src/cutaway/zoo/networks.tsv (every name that `cutaway networks` lists) and docs/networks.md (which families
Cutaway can take apart, tried with the smallest network of each: same output as the library's own, difference 0).

    python scripts/network_table.py            # minutes: counts parameters, tries one network of each family
"""

from __future__ import annotations

import dataclasses
import sys
import time
import warnings
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from cutaway.errors import CutawayError  # noqa: E402
from cutaway.graph.trace import trace  # noqa: E402
from cutaway.zoo import NetworkRow, libraries, names  # noqa: E402
from cutaway.zoo.named import Library  # noqa: E402
from cutaway.zoo.names import Meant  # noqa: E402
from cutaway.zoo.sources import source_of  # noqa: E402
