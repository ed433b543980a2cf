"""Networks built for their names and shapes alone: parameters take no memory and no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class weightless(TorchFunctionMode):  # noqa: N801 - used as a context, like torch.no_grad
    """Within it, torch.empty (what layers make their weights with) gives tensors without numbers ("meta").

    Narrower than torch.device("meta"), under which a network that computes its widths with tensors (torchvision's
    RegNet) cannot be built.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        if func is torch.empty:
            return func(*args, **{**(kwargs or {}), "device": "meta"})
        return func(*args, **(kwargs or {}))
