"""torchlens keeping every tensor of one forward pass at 224 px, as its page does it: processor seconds, one thread."""

from __future__ import annotations

import argparse
import json
import time
import warnings

import torch

from benchmarks.programs.networks import NETWORKS, network


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--network", choices=NETWORKS, required=True)
    asked = options.parse_args()
    warnings.filterwarnings("ignore")
    import torchlens  # type: ignore[import-not-found]

    torch.set_num_threads(1)
    module, x = network(asked.network), torch.randn(1, 3, 224, 224)
    seconds = []
    for _ in range(2):
        begun = time.process_time()
        torchlens.trace(module, x)
        seconds.append(time.process_time() - begun)
    print(json.dumps({"seconds": min(seconds)}))


if __name__ == "__main__":
    main()
