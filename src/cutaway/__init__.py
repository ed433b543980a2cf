"""Cutaway: a workbench for convolutional image classifiers. Public names are loaded when first used."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# OpenMP threads that wait by spinning take the processor from whoever should work: on 2 busy cores a forward pass took
# 124 to 188 ms so and 16 to 26 ms asleep. Read when torch is first imported; what the person has set stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from cutaway.dataset import Dataset as Dataset
    from cutaway.dataset.sample_pictures import sample_names as sample_names
    from cutaway.dataset.sample_pictures import sample_picture as sample_picture
    from cutaway.dataset.scan import open_dataset as open_dataset
    from cutaway.errors import CutawayError as CutawayError
    from cutaway.image import Image as Image
    from cutaway.image import InputContract as InputContract
    from cutaway.image.read import read_image as read_image
    from cutaway.model import Model as Model
    from cutaway.model import open_model as open_model
    from cutaway.model import save_model as save_model
    from cutaway.reports import Report as Report
    from cutaway.surgery.activations import SetActivation as SetActivation
    from cutaway.surgery.channels import KeepOnly as KeepOnly
    from cutaway.surgery.channels import ScaleChannels as ScaleChannels
    from cutaway.surgery.channels import Silence as Silence
    from cutaway.surgery.dropout import SetDropout as SetDropout
    from cutaway.surgery.filters import SetClassCount as SetClassCount
    from cutaway.surgery.filters import SetFilters as SetFilters
    from cutaway.surgery.fit import FitInput as FitInput
    from cutaway.surgery.groups import SetGroups as SetGroups
    from cutaway.surgery.inputs import SetClasses as SetClasses
    from cutaway.surgery.inputs import SetInput as SetInput
    from cutaway.surgery.inputs import SetInputSize as SetInputSize
    from cutaway.surgery.kernel_size import SetKernelSize as SetKernelSize
    from cutaway.surgery.kernels import FlipKernels as FlipKernels
    from cutaway.surgery.kernels import RotateKernels as RotateKernels
    from cutaway.surgery.kernels import SetKernel as SetKernel
    from cutaway.surgery.layers import Insert as Insert
    from cutaway.surgery.layers import Remove as Remove
    from cutaway.surgery.layers import Replace as Replace
    from cutaway.surgery.norms import FoldNorm as FoldNorm
    from cutaway.surgery.norms import FreezeStatistics as FreezeStatistics
    from cutaway.surgery.norms import RemoveNorm as RemoveNorm
    from cutaway.surgery.norms import ResetStatistics as ResetStatistics
    from cutaway.surgery.norms import SetEpsilon as SetEpsilon
    from cutaway.surgery.pooling import SetPooling as SetPooling
    from cutaway.surgery.refusal import Refusal as Refusal
    from cutaway.surgery.rewire import Rewire as Rewire
    from cutaway.surgery.strides import SetDilation as SetDilation
    from cutaway.surgery.strides import SetPadding as SetPadding
    from cutaway.surgery.strides import SetStride as SetStride
    from cutaway.surgery.together import Together as Together
    from cutaway.surgery.weights import AddNoise as AddNoise
    from cutaway.surgery.weights import RandomiseWeights as RandomiseWeights
    from cutaway.surgery.weights import RoundWeights as RoundWeights
    from cutaway.surgery.weights import ScaleBias as ScaleBias
    from cutaway.surgery.weights import ScaleWeights as ScaleWeights
    from cutaway.surgery.weights import SetBias as SetBias
    from cutaway.surgery.weights import SetWeight as SetWeight
    from cutaway.surgery.weights import SwapChannels as SwapChannels
    from cutaway.surgery.weights import ZeroWeights as ZeroWeights
    from cutaway.verbs.animate import animate as animate
    from cutaway.verbs.check import check as check
    from cutaway.verbs.compare import compare as compare
    from cutaway.verbs.edit import edit as edit
    from cutaway.verbs.effect import effect as effect
    from cutaway.verbs.evaluate import evaluate as evaluate
    from cutaway.verbs.explain import explain as explain
    from cutaway.verbs.export import export as export
    from cutaway.verbs.filters import filters as filters
    from cutaway.verbs.heal import heal as heal
    from cutaway.verbs.map import map as map
    from cutaway.verbs.networks import networks as networks
    from cutaway.verbs.neuron import neuron as neuron
    from cutaway.verbs.open import open as open
    from cutaway.verbs.pooling_study import compare_pooling as compare_pooling
    from cutaway.verbs.predict import predict as predict
    from cutaway.verbs.rank import rank as rank
    from cutaway.verbs.recognise import recognise as recognise
    from cutaway.verbs.report import report as report
    from cutaway.verbs.run import Run as Run
    from cutaway.verbs.separability import separability as separability
    from cutaway.verbs.shift import shift as shift
    from cutaway.verbs.silent import silent as silent
    from cutaway.verbs.sweep import sweep as sweep
    from cutaway.verbs.train import resume as resume
    from cutaway.verbs.train import train as train
    from cutaway.verbs.trust import trust as trust
    from cutaway.verbs.unfold import unfold as unfold
    from cutaway.verbs.vary import vary as vary
    from cutaway.verbs.watch import watch as watch

_HOMES = {
    "Dataset": "cutaway.dataset",
    "sample_names": "cutaway.dataset.sample_pictures",
    "sample_picture": "cutaway.dataset.sample_pictures",
    "open_dataset": "cutaway.dataset.scan",
    "CutawayError": "cutaway.errors",
    "Image": "cutaway.image",
    "InputContract": "cutaway.image",
    "read_image": "cutaway.image.read",
    "Model": "cutaway.model",
    "open_model": "cutaway.model",
    "save_model": "cutaway.model",
    "Report": "cutaway.reports",
    "heal": "cutaway.verbs.heal",
    "rank": "cutaway.verbs.rank",
    "separability": "cutaway.verbs.separability",
    "shift": "cutaway.verbs.shift",
    "SetActivation": "cutaway.surgery.activations",
    "KeepOnly": "cutaway.surgery.channels",
    "ScaleChannels": "cutaway.surgery.channels",
    "Silence": "cutaway.surgery.channels",
    "SetDropout": "cutaway.surgery.dropout",
    "SetClassCount": "cutaway.surgery.filters",
    "SetFilters": "cutaway.surgery.filters",
    "FitInput": "cutaway.surgery.fit",
    "SetGroups": "cutaway.surgery.groups",
    "SetClasses": "cutaway.surgery.inputs",
    "SetInput": "cutaway.surgery.inputs",
    "SetInputSize": "cutaway.surgery.inputs",
    "SetKernelSize": "cutaway.surgery.kernel_size",
    "FlipKernels": "cutaway.surgery.kernels",
    "RotateKernels": "cutaway.surgery.kernels",
    "SetKernel": "cutaway.surgery.kernels",
    "Insert": "cutaway.surgery.layers",
    "Remove": "cutaway.surgery.layers",
    "Replace": "cutaway.surgery.layers",
    "FoldNorm": "cutaway.surgery.norms",
    "FreezeStatistics": "cutaway.surgery.norms",
    "RemoveNorm": "cutaway.surgery.norms",
    "ResetStatistics": "cutaway.surgery.norms",
    "SetEpsilon": "cutaway.surgery.norms",
    "SetPooling": "cutaway.surgery.pooling",
    "Refusal": "cutaway.surgery.refusal",
    "Rewire": "cutaway.surgery.rewire",
    "SetDilation": "cutaway.surgery.strides",
    "SetPadding": "cutaway.surgery.strides",
    "SetStride": "cutaway.surgery.strides",
    "Together": "cutaway.surgery.together",
    "AddNoise": "cutaway.surgery.weights",
    "RandomiseWeights": "cutaway.surgery.weights",
    "RoundWeights": "cutaway.surgery.weights",
    "ScaleBias": "cutaway.surgery.weights",
    "ScaleWeights": "cutaway.surgery.weights",
    "SetBias": "cutaway.surgery.weights",
    "SetWeight": "cutaway.surgery.weights",
    "SwapChannels": "cutaway.surgery.weights",
    "ZeroWeights": "cutaway.surgery.weights",
    "animate": "cutaway.verbs.animate",
    "check": "cutaway.verbs.check",
    "edit": "cutaway.verbs.edit",
    "effect": "cutaway.verbs.effect",
    "evaluate": "cutaway.verbs.evaluate",
    "explain": "cutaway.verbs.explain",
    "export": "cutaway.verbs.export",
    "filters": "cutaway.verbs.filters",
    "map": "cutaway.verbs.map",
    "networks": "cutaway.verbs.networks",
    "neuron": "cutaway.verbs.neuron",
    "open": "cutaway.verbs.open",
    "compare": "cutaway.verbs.compare",
    "compare_pooling": "cutaway.verbs.pooling_study",
    "predict": "cutaway.verbs.predict",
    "recognise": "cutaway.verbs.recognise",
    "report": "cutaway.verbs.report",
    "Run": "cutaway.verbs.run",
    "silent": "cutaway.verbs.silent",
    "sweep": "cutaway.verbs.sweep",
    "resume": "cutaway.verbs.train",
    "train": "cutaway.verbs.train",
    "trust": "cutaway.verbs.trust",
    "unfold": "cutaway.verbs.unfold",
    "vary": "cutaway.verbs.vary",
    "watch": "cutaway.verbs.watch",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cutaway' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
