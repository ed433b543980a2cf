"""One network: plain batched inference, and the same batches streamed with layers looked at, in turn; prints rates."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator

import torch
from torch import fx

from benchmarks.programs.networks import network
from cutaway.engine.fast import BATCH
from cutaway.engine.silent import ChannelCounter
from cutaway.engine.stream import stream
from cutaway.graph.names import steps_of
from cutaway.graph.trace import trace
from cutaway.model import open_model

ACTIVATIONS = ("ReLU", "ReLU6", "SiLU", "Hardswish", "GELU", "ClippedReLU")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--network", required=True)
    options.add_argument("--side", type=int, default=224)
    options.add_argument("--batches", type=int, default=4)
    options.add_argument("--rounds", type=int, default=5, help="0: stream once and print nothing, for the memory")
    asked = options.parse_args()
    torch.set_num_threads(1)
    graph = open_model(asked.network).graph if asked.network.endswith(".h5") else trace(network(asked.network))
    side = 224 if asked.network.endswith(".h5") else asked.side
    names = list(steps_of(graph))
    active = [n for n, node in steps_of(graph).items() if _kind(graph, node) in ACTIVATIONS]

    def batches() -> Iterator[torch.Tensor]:
        for number in range(asked.batches):  # made anew each time: a data set is not held in memory
            made = torch.rand(BATCH, 3, side, side, generator=torch.Generator().manual_seed(number))
            yield made.contiguous(memory_format=torch.channels_last)

    def plain() -> None:
        with torch.inference_mode():
            for batch in batches():
                graph(batch)

    def activations() -> None:
        counter = ChannelCounter(graph, active)
        for _ in stream(graph, batches(), active, counter, look=counter.look):
            pass

    def vectors() -> None:
        for _ in stream(graph, batches(), names[-1:], lambda values: outputs.extend(values.values())):
            pass

    outputs: list[torch.Tensor] = []
    if not asked.rounds:
        activations()
        print(json.dumps({}))
        return
    vectors()
    with torch.inference_mode():
        expected = torch.cat([graph(batch) for batch in batches()])
    difference = float((torch.cat(outputs) - expected).abs().max() / expected.abs().max())
    ways: dict[str, Callable[[], None]] = {"plain": plain, "activations": activations, "vectors": vectors}
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(asked.rounds):
        for name, way in ways.items():
            outputs.clear()
            begun = time.process_time()
            way()
            best[name] = min(best[name], time.process_time() - begun)
    rates = {name: asked.batches * BATCH / seconds for name, seconds in best.items()}
    print(json.dumps({**rates, "difference": difference}))


def _kind(graph: fx.GraphModule, node: fx.Node) -> str:
    return type(graph.get_submodule(str(node.target))).__name__ if node.op == "call_module" else ""


if __name__ == "__main__":
    main()
