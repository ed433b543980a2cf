"""Keras files written by real Keras 3 and tf_keras, with what those programs made of a fixed picture.

Run with an interpreter that has TensorFlow, Keras 3 and tf_keras; Cutaway itself needs none of them:

    python scripts/golden_keras.py network FOLDER MobileNetV2     # 4 files and 4 .npz, up to some 400 MB
    python scripts/golden_keras.py small tests/formats/golden     # the small models the tests open

Every network has random weights from a fixed seed, batch statistics far from 0 and 1, and a last layer scaled so that
the 10 classes get clearly different probabilities: a wrong epsilon or padding then shows in the output.
"""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path
from typing import Any

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0")

import keras
import numpy as np
import tf_keras

CLASSES = 10
SIZES = {
    "MobileNet": 224,
    "MobileNetV2": 224,
    "MobileNetV3Small": 224,
    "ResNet50": 160,
    "ResNet50V2": 160,
    "VGG16": 64,
    "DenseNet121": 160,
    "EfficientNetB0": 224,
    "InceptionV3": 160,
    "Xception": 160,
    "NASNetMobile": 160,
    "EfficientNetV2B0": 160,
    "ConvNeXtTiny": 96,
}
"""Network -> side of its input in pixels."""
KERAS = {"keras-2": tf_keras, "keras-3": keras}
ENDINGS = ("h5", "keras")


def network(folder: Path, name: str) -> None:
    """One application by both programs -> FOLDER/NAME-<program>.<ending> and a .npz of picture and output for each."""
    for program, made_by in KERAS.items():
        made_by.backend.clear_session()
        made_by.utils.set_random_seed(7)
        size = SIZES[name]
        build = getattr(made_by.applications, name)
        model = build(weights=None, classes=CLASSES, input_shape=(size, size, 3))
        x = picture(size, of_bytes="Rescaling" in {type(layer).__name__ for layer in model.layers})
        make_telling(model, x)
        for ending in ENDINGS:
            model.save(folder / f"{name}-{program}.{ending}")
            keep(folder / f"{name}-{program}-{ending}.npz", x, model, made_by)


def small(folder: Path) -> None:
    """Small models by both programs, in both formats -> FOLDER/<model>-<program>.<ending> and one .npz of outputs."""
    kept: dict[str, Any] = {}
    for program, made_by in KERAS.items():
        for build in (plain, functional, nested, shared, subtracting_means):
            made_by.backend.clear_session()
            made_by.utils.set_random_seed(11)
            model = build(made_by, made_by.layers)
            x = np.random.default_rng(2).uniform(-1, 1, (2, *model.input_shape[1:])).astype(np.float32)
            make_telling(model, x)
            name = build.__name__.replace("_", "-")
            for ending in ENDINGS:
                if ending == "keras" and build is subtracting_means and made_by is tf_keras:
                    continue  # tf_keras cannot write x[..., ::-1] into a .keras file
                if ending == "keras" or build in (shared, subtracting_means):
                    model.save(folder / f"{name}-{program}.{ending}")
            kept[f"{name}-{program}/x"], kept[f"{name}-{program}/y"] = x, model.predict(x, verbose=0)
        made_by.backend.clear_session()
    subclass(folder)
    np.savez_compressed(folder / "keras.npz", **kept)
    for path in folder.glob("*.keras"):
        if path.name != "shared-keras-2.keras":  # which stays as it was written
            packed(path)


def packed(path: Path) -> None:
    """Deflates a .keras file's members (the empty space of small HDF5 files is most of it)."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def plain(k: Any, layers: Any) -> Any:
    """A Sequential as tutorials write it."""
    return k.Sequential(
        [
            layers.Input((12, 10, 3)),
            layers.Rescaling(0.5, offset=0.1),
            layers.RandomFlip("horizontal"),
            layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, padding="same", use_bias=False),
            layers.PReLU(shared_axes=[1, 2]),
            layers.MaxPooling2D(2, padding="same"),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(8, activation="tanh"),
            layers.Dense(4, activation="softmax"),
        ]
    )


def functional(k: Any, layers: Any) -> Any:
    """Branches, arithmetic with numbers, layers with several weights."""
    given = layers.Input((12, 12, 3))
    x = layers.SeparableConv2D(6, 3, padding="same", depth_multiplier=2)(given / 0.5 - 0.25)
    left = layers.LayerNormalization()(x)
    right = layers.LeakyReLU()(layers.Conv2D(6, (1, 3), padding="same", dilation_rate=2)(x))
    x = layers.Concatenate()([layers.Add()([left, right]), layers.AveragePooling2D(3, 1, padding="same")(x)])
    gate = layers.Conv2D(12, 1)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Multiply()([x, layers.ReLU(6.0)(gate + 3.0) * (1.0 / 6.0)])
    x = layers.GlobalMaxPooling2D()(layers.Conv2DTranspose(4, 3, strides=2, padding="same")(x))
    return k.Model(given, layers.Dense(4, activation="softmax")(x))


def nested(k: Any, layers: Any) -> Any:
    """A functional model inside a Sequential inside a functional one, each with layers of the same classes."""
    inner_input = layers.Input((10, 10, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(inner_input))
    inner = k.Model(inner_input, layers.Conv2D(5, 1)(layers.ReLU()(x)), name="inner")
    middle = k.Sequential([layers.Input((10, 10, 3)), inner, layers.BatchNormalization()], name="middle")
    given = layers.Input((10, 10, 3))
    x = layers.BatchNormalization()(layers.Conv2D(3, 1)(given))
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(middle(x)))
    return k.Model(given, layers.Dense(4, activation="softmax")(x))


def shared(k: Any, layers: Any) -> Any:
    """One convolution, one nested model and one Sequential, each used twice with the same weights."""
    given = layers.Input((8, 8, 3))
    convolution = layers.Conv2D(3, 3, padding="same", activation="relu", name="twice")
    block_input = layers.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(3, 1)(block_input))
    block = k.Model(block_input, layers.Add()([layers.ReLU()(x), block_input]), name="block")
    row = k.Sequential([layers.Input((8, 8, 3)), layers.Conv2D(3, 1), layers.BatchNormalization()], name="row")
    first = block(convolution(given))
    second = block(convolution(first))
    third = row(second)
    x = layers.Concatenate()([first, row(third), third])
    return k.Model(given, layers.Dense(4, activation="softmax")(layers.Flatten()(x)))


def subtracting_means(k: Any, layers: Any) -> Any:
    """preprocess_input of the ImageNet networks (BGR minus means; scaled by channel), then a slice."""
    given = layers.Input((6, 6, 3))
    x = k.applications.resnet50.preprocess_input(given * 128.0) / 128.0
    y = k.applications.densenet.preprocess_input(given * 255.0)
    x = layers.Concatenate()([x, y])[:, 1:, :5, :]
    return k.Model(given, layers.Dense(4, activation="softmax")(layers.Flatten()(x)))


def subclass(folder: Path) -> None:
    """A class written in Python: its file names the class and holds no list of layers."""

    class Own(keras.Model):
        def __init__(self, **more: Any) -> None:
            super().__init__(**more)
            self.last = keras.layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.last(x)

    model = Own()
    model(np.zeros((1, 3), np.float32))
    model.save(folder / "subclass-keras-3.keras")


def picture(size: int, of_bytes: bool) -> np.ndarray:
    """Two smooth random pictures, (2, size, size, 3), from -1 to 1, or from 0 to 255 where the network rescales."""
    chance = np.random.default_rng(3)
    coarse = chance.uniform(-1, 1, (2, 8, 8, 3))
    smooth = np.kron(coarse, np.ones((1, -(-size // 8), -(-size // 8), 1)))[:, :size, :size]
    x = 0.8 * smooth + 0.2 * chance.uniform(-1, 1, smooth.shape)
    return (127.5 * (x + 1) if of_bytes else x).astype(np.float32)


def make_telling(model: Any, x: np.ndarray) -> None:
    """Random batch statistics and layer scales, and a last layer scaled until the logits spread by about 2."""
    chance = np.random.default_rng(5)
    for layer in model._flatten_layers(recursive=True, include_self=False):
        if type(layer).__name__ == "BatchNormalization":
            shapes = [w.shape for w in layer.get_weights()]
            draws = [chance.uniform(0.7, 1.3, s) for s in shapes]
            if layer.center:
                draws[-3] = chance.normal(0, 0.3, shapes[-3])
            draws[-2] = chance.normal(0, 0.3, shapes[-2])
            layer.set_weights([d.astype(np.float32) for d in draws])
        if type(layer).__name__ == "LayerScale":  # begins at 1e-6, which would hide the whole block
            layer.set_weights([chance.uniform(0.3, 1, w.shape).astype(np.float32) for w in layer.get_weights()])
    last = next(layer for layer in reversed(model.layers) if layer.get_weights())
    for _ in range(3):
        spread = float(np.std(np.log(model.predict(x, verbose=0) + 1e-20), axis=-1).mean())
        kernel, bias = last.get_weights()
        last.set_weights([kernel * (2 / max(spread, 1e-3)), bias])


def keep(path: Path, x: np.ndarray, model: Any, made_by: Any) -> None:
    y = np.asarray(model.predict(x, verbose=0))
    np.savez(path, x=x, y=y, program=f"{made_by.__name__} {made_by.__version__}")


if __name__ == "__main__":
    what, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if what == "network":
        network(folder, sys.argv[3])
    else:
        small(folder)
