"""Every operation a person can ask for: options -> function -> result. Python, command line and page read VERBS."""

from __future__ import annotations

import importlib
from typing import Any

from cutaway.verbs.verb import Verb as Verb

# name: what it does, the first line of its options' docstring; kept here so that `cutaway --help` imports no verb.
VERBS = {
    "check": (
        "Find what is wrong with photos before training: damaged files, copies, leaks, imbalance, doubtful labels."
    ),
    "train": "Train a classifier on photos: checks them, splits honestly, trains, measures once, writes a report.",
    "resume": "Continue a run that was stopped or killed; it ends with the weights it would have had.",
    "predict": "Say what is on photos: the likeliest classes of each, with probabilities.",
    "evaluate": (
        "Measure a model on labelled photos: accuracy with interval, per class, confusion, calibration, mistakes."
    ),
    "report": "Show what a run measured, and where its page lies. Looks at no test picture again.",
    "networks": "List the networks that --network and --backbone know by name.",
    "open": "Open any model file: what it is, its layers, shapes, parameters, multiply-adds and receptive fields.",
    "recognise": "Say which known network a model is, with which head, and where it departs: by its layers alone.",
    "compare": "Compare two models: which layers differ, in structure and in weights; on pictures, where they part.",
    "watch": "Watch one picture go through a network: input as it sees it, feature maps layer by layer, probabilities.",
    "filters": "Look at the kernels of a layer: as pictures, with their statistics.",
    "unfold": "Unfold one number: the patch, kernel, products, sums, bias and activation that it is made of.",
    "animate": "Animate a layer's sliding window: input, kernel and products, the output filling cell by cell.",
    "silent": "Find the channels of a network that never fire on your photos, layer by layer.",
    "export": (
        "Write a model for other programs: ONNX, torch.export's .pt2, or one safetensors file; read back and compared."
    ),
    "rank": "Rank the channels, layers or blocks of a network by what leaving each out costs on your photos.",
    "shift": "Move, turn, zoom, cover or recolour a picture step by step and see the probabilities follow.",
    "heal": "Train an edited model for a few epochs: only what the edits left untrained, and the last layer.",
    "edit": (
        "Change any part of a model and write the changed one: kernels, strides, activations, layers, input, classes."
    ),
    "effect": (
        "See what an edit does: layer by layer on a photo; accuracy, loss and photos with another answer on a data set."
    ),
    "explain": (
        "See where in a photo an answer comes from, by one method or several, each with checks that say what "
        "it is worth."
    ),
    "vary": (
        "Turn knobs of a model through their values: accuracy, loss and changed answers of each setting, "
        "table and plot."
    ),
    "trust": "Find out which explanations of a model can be believed: every check of every method, over your photos.",
    "sweep": (
        "Train the same photos with different settings: validation accuracy against seconds and parameters, as a plot."
    ),
    "map": "Lay your photos out on a plane by what a layer makes of them: t-SNE, UMAP or PCA.",
    "separability": (
        "See layer by layer how well your classes lie apart: by nearest neighbours and by a linear classifier."
    ),
    "neuron": (
        "See what a unit looks for: the photos' patches that excite it most, and a picture optimised to excite it."
    ),
}

_SHARED = {"resume": "train"}


def verb(name: str) -> Verb[..., Any]:
    """Name -> the Verb, found under its name in the file of that name. Raises KeyError for one that is not there."""
    if name not in VERBS:
        raise KeyError(name)
    found = getattr(importlib.import_module(f"cutaway.verbs.{_SHARED.get(name, name)}"), name)
    assert isinstance(found, Verb)
    return found
