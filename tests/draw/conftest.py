"""A real little run for the pages: scikit-learn's digits, a softmax regression trained by gradient steps."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from cutaway.draw.sheet import contact_sheet, thumbnail
from cutaway.reports import Baseline, EpochRow, Finding, Report
from cutaway.reports.diagnosis import diagnose
from cutaway.reports.metrics import fit_temperature, measure, softmax, wilson

NETWORK = """layer      kind         output shape   parameters
conv1      Conv2d 3x3   32 x 6 x 6            896
relu1      ReLU         32 x 6 x 6              0
pool1      MaxPool2d    32 x 3 x 3              0
flatten    Flatten      288                     0
fc         Linear       10                  2,890"""


@dataclass(frozen=True)
class Run:
    report: Report
    thumbnails: dict[str, bytes]
    pictures: dict[str, bytes]


@pytest.fixture(scope="session")
def digits_run() -> Run:
    return make_run()


@pytest.fixture(scope="session")
def hostile_run() -> Run:
    """The same run with markup where names belong."""
    return make_run(hostile=True)


def make_run(hostile: bool = False) -> Run:
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = data.data / 16.0, data.target
    order = np.random.default_rng(0).permutation(len(y))
    folds = {"train": order[:900], "val": order[900:1200], "test": order[1200:]}
    weights, rows, kept = np.zeros((65, 10)), [], np.zeros((65, 10))
    padded = np.hstack([x, np.ones((len(x), 1))])
    best = np.inf
    for epoch in range(1, 25):
        a, t = padded[folds["train"]], np.eye(10)[y[folds["train"]]]
        for at in range(0, len(a), 32):
            b, s = a[at : at + 32], t[at : at + 32]
            weights += 0.6 / 32 * b.T @ (s - softmax(b @ weights))
        scores = {f: padded[i] @ weights for f, i in folds.items()}
        loss = {f: -np.log(softmax(scores[f])[np.arange(len(i)), y[i]]).mean() for f, i in folds.items()}
        right = {f: (scores[f].argmax(1) == y[i]).mean() for f, i in folds.items()}
        is_best = bool(loss["val"] < best)
        if is_best:
            best, kept = loss["val"], weights.copy()
        phase = "head" if epoch <= 6 else "fine-tune"
        rows.append(EpochRow(epoch, phase, float(loss["train"]), float(right["train"]), float(loss["val"]),
                             float(right["val"]), 0.6, 0.04, is_best))  # fmt: skip
    names = [f"digits/{y[i]}/{i:04d}.png" for i in range(len(y))]
    classes = tuple(str(d) for d in range(10))
    if hostile:
        classes = ("<script>alert(1)</script>", "</title><b>", *classes[2:])
        names[folds["test"][0]] = "<img src=x onerror=alert(2)>.jpg"
    temperature = fit_temperature(padded[folds["val"]] @ kept * 4, y[folds["val"]])
    val, test = (
        measure(f, [names[i] for i in folds[f]], y[folds[f]], padded[folds[f]] @ kept * 4, classes,
                temperature=temperature)
        for f in ("val", "test")
    )  # fmt: skip
    tall = {i: np.repeat((data.images[i] * 15.9).astype(np.uint8)[:, :, None], 3, 2) for i in range(len(y))}
    common = int(np.bincount(y[folds["test"]]).max())
    n = len(folds["test"])
    nearest = round(0.943 * n)
    pair = (names[folds["train"][0]], names[folds["train"][1]])
    report = Report(
        title="Handwritten digits" if not hostile else "<script>alert(3)</script>",
        created="2026-11-20 14:05",
        command="cutaway train digits --network lenet5 --epochs 24 --augment light",
        recipe={"network": "lenet5", "mode": "scratch", "epochs": "24", "augment": "light", "dropout": "0.2",
                "lr": "0.6", "weight-decay": "0.01", "seed": "0"},
        network=NETWORK, network_name="lenet5", parameters=61_706, trainable=61_706,
        contract="8 x 8 px, RGB, scaled to [0, 1]", classes=classes,
        counts={f: {c: int((y[i] == k).sum()) for k, c in enumerate(classes)} for f, i in folds.items()},
        findings=(
            Finding("near-duplicate", "warn", "1 pair shows the same digit twice.", pairs=(pair,),
                    numbers={"pairs": 1, "distance": 6}),
            Finding("label-error", "info", "9 photos may carry the wrong label.",
                    names=tuple(names[i] for i in folds["test"][3:12]), numbers={"share": 0.005}),
            Finding("unreadable", "stop", "2 files cannot be read.", names=("digits/3/bad.png", "digits/4/empty.png")),
        ),
        epochs=tuple(rows), val=val, test=test, looks=1,
        baselines=(Baseline("majority class", common / n, *wilson(common, n), n, 0.0),
                   Baseline("colour histogram + HOG", nearest / n, *wilson(nearest, n), n, 1.7,
                            "logistic regression on 8 + 324 numbers")),
        diagnoses=(), environment={"cutaway": "0.1.0", "python": "3.11", "torch": "2.11", "processor": "2 cores"},
        timings={"check": 0.4, "train": 1.1, "evaluate": 0.2}, peak_memory_mb=412.0,
    )  # fmt: skip
    report = dataclasses.replace(report, diagnoses=diagnose(report))
    sheet = contact_sheet([tall[int(i)] for i in folds["train"][:16]], columns=8, cell_px=96)
    return Run(report, {names[i]: thumbnail(tall[i]) for i in range(len(y))}, {"augmentation": sheet})
