"""build: a network's name -> Named. Only the signature is here, so that the list of names needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cutaway.zoo.named import Named


def build(
    name: str,
    *,
    classes: Sequence[str],
    size: int | tuple[int, int] | None = None,
    pretrained: bool = False,
    weights_file: Path | str | None = None,
    **knobs: Any,
) -> Named:
    """Name and class names -> the network as a graph with its input contract.

    `size` (H, W) in pixels, default what it was published with; `pretrained` loads the published weights (digest
    checked) and `weights_file` a local state_dict or .safetensors, both with a fresh last layer where the number of
    classes differs; with `pretrained` and no class names, the published last layer and class names are kept. Knobs are
    the network's own settings (`dropout`, `depth`, ...) and `in_channels` (1 or 3). Fresh weights come from torch's
    global random generator: seed it before.

    Raises BadInput (unknown name, knob or size, each with what would work), BadModel (weights that do not fit, a
    network Cutaway cannot take apart), Offline (published weights that are not here, with where to put them).
    """
    from cutaway.zoo.assemble import Order, assemble

    return assemble(Order.of(name, classes, size, pretrained, weights_file, knobs))
