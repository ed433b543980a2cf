"""What reading an ONNX network knows everywhere: the number that stands for the batch, and how a node is refused."""

from __future__ import annotations

BATCH = 100_003
"""Stands for the number of pictures while shapes are worked out: a prime that is no real network's size."""


class Refused(Exception):
    """One node cannot become a layer; the text is the end of a sentence that begins with the node."""


class Stopped(Exception):
    """A node that cannot be opened; the text is a sentence that names it."""
