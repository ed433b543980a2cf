"""Many pictures through a graph in the memory of one batch: a function sees each asked layer's values once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import fx, nn

from cutaway.engine.cut import part_of
from cutaway.engine.fast import fast_twin
from cutaway.engine.memory import keep_freed_memory
from cutaway.engine.run import input_of
from cutaway.engine.threads import threads as using
from cutaway.engine.trace import trace_steps
from cutaway.graph.names import step_named

Values = Mapping[str, torch.Tensor]
Look = Callable[[str, torch.Tensor], Any]


def stream(
    graph: fx.GraphModule,
    batches: Iterable[torch.Tensor],
    layers: Collection[str],
    fold: Callable[[Mapping[str, Any]], None],
    *,
    look: Look | None = None,
    exact: bool = False,
    threads: int | None = None,
) -> Iterator[int]:
    """Graph, prepared batches (N, C, H, W), names of layers, what to do with their values -> pictures done so far.

    For each batch `fold` gets {name: value for the N pictures} and must not keep them; then the number is yielded, and
    the next batch is asked for when the caller goes on. What lies behind the last asked layer is not run. With `look`,
    `fold` gets what that makes of (name, value) instead: it is called as each value comes, which is let go thereafter
    as if nobody had asked for it, so that a batch takes the memory of a plain run. Without
    `exact` batch norms are folded and activations done in place wherever no asked layer is touched: values are the
    trace's within rounding (1e-5 of a layer's largest); with it, bit for bit. `threads`: processor threads while a
    batch is run; None: as torch has them.
    Raises BadInput for a name that is not there, BadModel naming the layer that cannot work on a batch.
    """
    nodes = [step_named(graph, name) for name in layers]
    running = _asked_part(graph, nodes, exact=exact)
    if look is not None:
        _insert(running, dict(zip(layers, (node.name for node in nodes), strict=True)), look)
    keep_freed_memory()
    done = 0
    for batch in batches:
        with using(threads), torch.inference_mode():
            try:
                values = running(batch)
            except (RuntimeError, ValueError, TypeError, IndexError):
                trace_steps(graph, batch, ())  # names the layer
                raise
            fold(dict(zip(layers, values, strict=True)))
        del values
        done += len(batch)
        yield done


class _Looking(nn.Module):
    """Hands a layer's value to `look` under the layer's name."""

    def __init__(self, name: str, look: Look) -> None:
        super().__init__()
        self.name, self.look = name, look

    def forward(self, value: torch.Tensor) -> Any:
        return self.look(self.name, value)


def _insert(part: fx.GraphModule, node_by_name: Mapping[str, str], look: Look) -> None:
    """Puts a look behind each asked node, and gives their results in place of the values."""
    nodes = {node.name: node for node in part.graph.nodes}
    results = []
    for number, (name, node) in enumerate(node_by_name.items()):
        part.add_module(f"cutaway_look_{number}", _Looking(name, look))
        with part.graph.inserting_after(nodes[node]):
            results.append(part.graph.call_module(f"cutaway_look_{number}", (nodes[node],)))
    (output,) = (node for node in nodes.values() if node.op == "output")
    output.args = (tuple(results),)
    part.recompile()


def _asked_part(graph: fx.GraphModule, nodes: list[fx.Node], *, exact: bool) -> fx.GraphModule:
    """Graph, nodes asked for -> a graph from the input to the tuple of their values and no further."""
    if exact:
        return part_of(graph, [input_of(graph)], nodes)
    return fast_twin(part_of(graph, [input_of(graph)], nodes), [node.name for node in nodes])
