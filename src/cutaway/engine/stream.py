"""Many pictures through a graph in the memory of one batch: a function sees each asked layer's values once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import torch
from torch import fx

from cutaway.engine.cut import part_of
from cutaway.engine.fast import fast_twin
from cutaway.engine.memory import keep_freed_memory
from cutaway.engine.run import input_of
from cutaway.engine.threads import threads as using
from cutaway.engine.trace import trace_steps
from cutaway.graph.names import step_named

Values = Mapping[str, torch.Tensor]


def stream(
    graph: fx.GraphModule,
    batches: Iterable[torch.Tensor],
    layers: Collection[str],
    fold: Callable[[Values], None],
    *,
    exact: bool = False,
    threads: int | None = None,
) -> Iterator[int]:
    """Graph, prepared batches (N, C, H, W), names of layers, what to do with their values -> pictures done so far.

    For each batch `fold` gets {name: value for the N pictures} and must not keep them; then the number is yielded, and
    the next batch is asked for when the caller goes on. What lies behind the last asked layer is not run. Without
    `exact` batch norms are folded and activations done in place wherever no asked layer is touched: values are the
    trace's within rounding (1e-5 of a layer's largest); with it, bit for bit. `threads`: processor threads while a
    batch is run; None: as torch has them.
    Raises BadInput for a name that is not there, BadModel naming the layer that cannot work on a batch.
    """
    nodes = [step_named(graph, name) for name in layers]
    running = _asked_part(graph, nodes, exact=exact)
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


def _asked_part(graph: fx.GraphModule, nodes: list[fx.Node], *, exact: bool) -> fx.GraphModule:
    """Graph, nodes asked for -> a graph from the input to the tuple of their values and no further."""
    if exact:
        return part_of(graph, [input_of(graph)], nodes)
    twin = fast_twin(graph, [node.name for node in nodes])
    there = {node.name: node for node in twin.graph.nodes}
    return part_of(twin, [input_of(twin)], [there[node.name] for node in nodes])
