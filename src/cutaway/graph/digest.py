"""Graph -> one number that changes when a layer, a connection or a weight does."""

from __future__ import annotations

import hashlib
import json

import torch
from torch import fx

from cutaway.graph.document import tensors_of, to_document


def digest(graph: fx.GraphModule) -> str:
    """Graph -> hex sha256 over its document and the bytes of its tensors."""
    sha = hashlib.sha256(json.dumps(to_document(graph), sort_keys=True).encode())
    for name, tensor in sorted(tensors_of(graph).items()):
        sha.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        sha.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes() if tensor.ndim else b"")
        if not tensor.ndim:
            sha.update(str(tensor.item()).encode())
    return sha.hexdigest()
