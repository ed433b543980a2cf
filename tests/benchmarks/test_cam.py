"""The benchmark of class activation maps on the least there is: its row, and maps that agree with captum's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmarks import cam
from benchmarks.bench import Settings
from benchmarks.programs.networks import network


def test_grad_cam_beside_captum(tmp_path: Path) -> None:
    (row,) = cam.measure(Settings(tmp_path, 1, quick=True)).rows
    assert (row["network"], row["method"]) == ("mobilenet_v2", "Grad-CAM")
    assert row["ratio"] > 0
    assert row["difference to captum"] < 1e-4


def test_random_weights_are_made_to_answer() -> None:
    torch.manual_seed(0)
    x = torch.from_numpy(cam.sample_photos(64)).permute(0, 3, 1, 2).float() / 255
    logits = cam.calibrated(network("mobilenet_v2"), x)(x).detach()
    assert 2 < float(logits.std()) < 4


def test_a_map_is_compared_whatever_its_scale() -> None:
    """pytorch-grad-cam's maps lie between 0 and 1."""
    ours = np.random.default_rng(0).random((7, 7), dtype=np.float32)
    assert cam._agreement(ours, (ours - ours.min()) / ours.max()) == 1.0
    assert cam._agreement(ours, None) is None
