"""Device -> whether it computes in bfloat16 by itself."""

from __future__ import annotations

import torch


def native_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products are made in hardware; emulated ones are slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))
