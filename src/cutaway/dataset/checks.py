"""Data set + what reading it told -> what is wrong with it, in sentences, before any training."""

from __future__ import annotations

import numpy as np

from cutaway.dataset import check_classes, check_copies, check_files
from cutaway.dataset.duplicates import finding_duplicates, groups, measuring_spread
from cutaway.dataset.evidence import Evidence, check_alignment
from cutaway.dataset.label_errors import finding_label_errors
from cutaway.dataset.samples import Dataset
from cutaway.dataset.shortcuts import measuring_statistics, shortcuts
from cutaway.dataset.steps import Steps, result_of
from cutaway.reports import Finding

KINDS = (
    "unreadable",
    "duplicate-across-labels",
    "leak",
    "exact-duplicate",
    "near-duplicate",
    "near-constant",
    "few",
    "imbalance",
    "shortcut",
    "label-error",
    "unchecked-labels",
    "labels-from",
    "odd",
    "skipped",
)
"""Every kind a Finding of `check` can have, in the order of urgency within a severity."""
URGENCY = {"stop": 0, "warn": 1, "info": 2}


def check(dataset: Dataset, evidence: Evidence, seed: int = 0) -> tuple[Finding, ...]:
    """Data set and its evidence -> findings, most urgent first; the same input gives the same findings.

    Raises BadInput where the evidence does not have one row per sample.
    """
    return result_of(checking(dataset, evidence, seed))


def checking(dataset: Dataset, evidence: Evidence, seed: int = 0) -> Steps[tuple[Finding, ...]]:
    """`check` that yields Progress."""
    check_alignment(dataset, evidence)
    copies = evidence.copies
    if copies is None:
        copies = yield from finding_duplicates(evidence.pixels, evidence.ok, evidence.sha256s, evidence.stored_sizes)
    spread = yield from measuring_spread(evidence.pixels)
    found = [
        *check_files.unreadable(dataset, evidence),
        *check_files.odd(dataset, evidence),
        *check_files.near_constant(dataset, evidence, spread),
        *check_files.skipped(dataset),
        *check_copies.copies(dataset, copies),
    ]
    labels = np.array([-1 if sample.label is None else sample.label for sample in dataset.samples], np.int64)
    usable = np.nonzero(evidence.ok & (labels >= 0))[0]
    counts = np.bincount(labels[usable], minlength=len(dataset.classes))
    found += (
        check_classes.labels_from(dataset)
        + check_classes.imbalance(dataset, counts)
        + check_classes.few(dataset, counts)
    )
    if len(usable):
        table = yield from measuring_statistics(evidence.pixels, evidence.stored_sizes)
        trivial = shortcuts(table[usable], labels[usable], seed)
        found += check_classes.shortcut(dataset, labels[usable], trivial)
    if evidence.features is not None and len(usable):
        judged = np.where(evidence.ok, labels, -1)
        of_copies = groups(len(dataset), [(pair.first, pair.second) for pair in copies])
        errors = yield from finding_label_errors(evidence.features, judged, of_copies, seed)
        found += check_classes.label_findings(dataset, errors)
    return tuple(sorted(found, key=lambda f: (URGENCY[f.severity], KINDS.index(f.kind))))
