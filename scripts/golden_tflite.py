"""TFLite models made by TensorFlow, with what its interpreter answers: fixtures for the tests and the coverage table.

    TF_PYTHON scripts/golden_tflite.py tiny                   # -> tests/formats/golden/tflite_{ops,networks}.npz
    TF_PYTHON scripts/golden_tflite.py applications FOLDER    # ten Keras applications in four kinds -> FOLDER
    python scripts/golden_tflite.py compare FOLDER TEACHABLE  # Cutaway's answers beside -> docs/coverage/tflite.json

TF_PYTHON: a Python with TensorFlow (2.21 was used). TEACHABLE: the folder of Teachable Machine exports with their
reference.json. Weights are random with a fixed seed, so are batch-norm statistics.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "formats" / "golden"
KINDS = ("float32", "float16", "dynamic", "int8")
TEACHABLE = {
    "image-tflite/model_unquant.tflite": "reference.json",
    "fruit-tflite/model_unquant.tflite": "reference.json",
    "fruit-tflite/model.tflite": "reference_quantized.json",
}


# ---------------------------------------------------------------------------------------------- made by TensorFlow


def interpreted(model: bytes, picture: np.ndarray) -> np.ndarray:
    """Model, (1, H, W, C) in the model's own numbers -> its output as float32, dequantised."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(
        model_content=model,
        num_threads=1,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    asked = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(asked["index"], picture.shape)
    interpreter.allocate_tensors()
    if asked["dtype"] != np.float32:
        scale, zero = asked["quantization"]
        info = np.iinfo(asked["dtype"])
        picture = np.clip(np.round(picture / scale + zero), info.min, info.max).astype(asked["dtype"])
    interpreter.set_tensor(asked["index"], picture)
    interpreter.invoke()
    told = interpreter.get_output_details()[0]
    out = interpreter.get_tensor(told["index"])
    if told["dtype"] != np.float32:
        scale, zero = told["quantization"]
        out = (out.astype(np.float32) - zero) * np.float32(scale)
    return np.asarray(out, np.float32)


def converted(network: Any, kind: str, samples: np.ndarray) -> bytes:
    """Keras model -> .tflite of that kind; `samples` (N, H, W, C) calibrate "int8" and "uint8" (in and out)."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "uint8"):
        converter.representative_dataset = lambda: ([s[None]] for s in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(kind)
    return bytes(converter.convert())


def randomised(network: Any, seed: int, picture: np.ndarray) -> None:
    """Seeded weights and batch-norm statistics; the last layer is stretched until its logits differ."""
    rng = np.random.default_rng(seed)
    for layer in network.layers:
        if type(layer).__name__ == "BatchNormalization":
            drawn = {
                "gamma": rng.uniform(0.8, 1.2, layer.moving_mean.shape),
                "beta": rng.normal(0, 0.1, layer.moving_mean.shape),
                "moving_mean": rng.normal(0, 0.1, layer.moving_mean.shape),
                "moving_variance": rng.uniform(0.5, 1.5, layer.moving_mean.shape),
            }
            for name, values in drawn.items():
                if getattr(layer, name) is not None:
                    getattr(layer, name).assign(values.astype(np.float32))
    last = next(layer for layer in reversed(network.layers) if hasattr(layer, "kernel"))
    logits = np.log(np.asarray(network(picture)) + 1e-12)
    last.kernel.assign(last.kernel * float(min(2.0 / max(logits.std(), 1e-6), 1e4)))


def applications() -> dict[str, Callable[[], Any]]:
    from tensorflow import keras

    made = keras.applications
    options = {"weights": None, "classes": 20}
    return {
        "MobileNet 0.5": lambda: made.MobileNet((96, 96, 3), alpha=0.5, **options),
        "MobileNetV2 0.5": lambda: made.MobileNetV2((96, 96, 3), alpha=0.5, **options),
        "MobileNetV3Small": lambda: made.MobileNetV3Small((96, 96, 3), **options),
        "DenseNet121": lambda: made.DenseNet121(input_shape=(96, 96, 3), **options),
        "EfficientNetB0": lambda: made.EfficientNetB0(input_shape=(96, 96, 3), **options),
        "EfficientNetV2B0": lambda: made.EfficientNetV2B0(input_shape=(96, 96, 3), **options),
        "NASNetMobile": lambda: made.NASNetMobile((96, 96, 3), **options),
        "ResNet50V2": lambda: made.ResNet50V2(input_shape=(96, 96, 3), **options),
        "Xception": lambda: made.Xception(input_shape=(96, 96, 3), **options),
        "ConvNeXtTiny": lambda: made.ConvNeXtTiny(input_shape=(96, 96, 3), **options),
    }


def write_applications(folder: Path) -> None:
    import tensorflow as tf
    from tensorflow import keras

    folder.mkdir(parents=True, exist_ok=True)
    for name, make in applications().items():
        stem = name.replace(" ", "-")
        if (folder / f"{stem}.npz").exists():
            continue
        keras.utils.set_random_seed(7)
        network = make()
        pictures = np.random.default_rng(3).uniform(-1, 1, (8, 96, 96, 3)).astype(np.float32)
        pictures = np.repeat(np.repeat(pictures[:, ::8, ::8], 8, 1), 8, 2)
        if any(type(layer).__name__ in ("Rescaling", "Normalization") for layer in network.layers):
            pictures = (pictures + 1) * 127.5
        randomised(network, 5, pictures[:1])
        expected = {}
        for kind in KINDS:
            try:
                model = converted(network, kind, pictures)
                (folder / f"{stem}.{kind}.tflite").write_bytes(model)
                expected[kind] = np.concatenate([interpreted(model, p[None]) for p in pictures[:3]])
            except Exception as error:  # the converter's own failure is a row of the table
                print(f"{name} {kind}: {type(error).__name__}: {str(error)[:200]}")
        np.savez_compressed(folder / f"{stem}.npz", pictures=pictures[:3], **expected)
        print(name, {k: v.max() for k, v in expected.items()}, flush=True)
    (folder / "versions.json").write_text(json.dumps({"tensorflow": tf.__version__, "keras": keras.__version__}))


# ------------------------------------------------------------------------------------------------------------ tiny


def operations() -> Iterator[tuple[str, tuple[int | None, ...], Callable[[Any], Any]]]:
    """Name, input shape, function of one tensor: small programs that make TensorFlow write one operator or a few."""
    import tensorflow as tf

    nn, rng = tf.nn, np.random.default_rng(11)

    def numbers(*shape: int) -> Any:
        return tf.constant(rng.normal(0, 0.5, shape).astype(np.float32))

    kernel, deep, per_channel, volume = numbers(3, 3, 3, 4), numbers(3, 3, 3, 2), numbers(3), numbers(1, 7, 6, 3)
    second, third, narrow = numbers(2, 3, 3, 4), numbers(3, 3, 2, 3), numbers(3, 3, 1, 4)
    dense, wide = numbers(3, 5), numbers(7 * 6 * 3, 5)
    here: tuple[int | None, ...] = (1, 7, 6, 3)
    open_batch: tuple[int | None, ...] = (None, 7, 6, 3)
    yield "conv_same_2", here, lambda x: nn.conv2d(x, kernel, 2, "SAME")
    yield (
        "conv_valid_relu",
        here,
        lambda x: nn.relu(nn.bias_add(nn.conv2d(x, kernel, [1, 2, 1, 1], "VALID"), [1.0] * 4)),
    )
    yield "conv_dilated", here, lambda x: nn.conv2d(x, kernel, 1, "SAME", dilations=2)
    yield "conv_even", here, lambda x: nn.conv2d(x, second, 1, "SAME")
    yield "conv_gray", (1, 7, 6, 1), lambda x: nn.conv2d(x, narrow, 1, "SAME")
    yield "depthwise", here, lambda x: nn.relu6(nn.depthwise_conv2d(x, deep, [1, 2, 2, 1], "SAME"))
    yield "transposed_same", here, lambda x: nn.conv2d_transpose(x, third, [1, 14, 12, 2], 2, "SAME")
    yield "transposed_valid", here, lambda x: nn.conv2d_transpose(x, third, [1, 15, 13, 2], 2, "VALID")
    yield "transposed_even", here, lambda x: nn.conv2d_transpose(x, second[:, :, :, :3], [1, 7, 6, 3], 1, "SAME")
    yield "max_pool_same", here, lambda x: nn.max_pool2d(x, 2, 2, "SAME")
    yield "max_pool_valid", here, lambda x: nn.max_pool2d(x, [3, 2], 2, "VALID")
    yield "avg_pool_same", here, lambda x: nn.avg_pool2d(x, 3, 2, "SAME")
    yield "avg_pool_odd", here, lambda x: nn.avg_pool2d(x, 3, 1, "SAME")
    yield "mean", here, lambda x: tf.reduce_mean(x, [1, 2])
    yield "mean_kept", here, lambda x: tf.reduce_mean(x, [1, 2], keepdims=True) * x
    yield "mean_channels", here, lambda x: tf.reduce_mean(x, 3)
    yield "sum", here, lambda x: tf.reduce_sum(x, [2])
    yield "reduce_max", here, lambda x: tf.reduce_max(x, [1, 2])
    yield "reduce_min", here, lambda x: tf.reduce_min(x, [3], keepdims=True)
    yield "add_itself", here, lambda x: nn.relu(x + tf.tanh(x))
    yield "add_channels", here, lambda x: x + per_channel
    yield "add_volume", here, lambda x: x + volume
    yield "mul_add", here, lambda x: nn.relu(x * per_channel + 1.5)
    yield "sub_from", here, lambda x: 2.0 - x
    yield "sub", here, lambda x: x - tf.sigmoid(x)
    yield "div", here, lambda x: x / (tf.exp(x) + per_channel * per_channel)
    yield "one_over", here, lambda x: 1.0 / tf.exp(x)
    yield "maximum_minimum", here, lambda x: tf.minimum(tf.maximum(x, -0.5), tf.tanh(x))
    yield "concat", here, lambda x: tf.concat([x, tf.tanh(x)], 3)
    yield "concat_rows", here, lambda x: tf.concat([x, -x], -3)
    yield "reshape", here, lambda x: tf.reshape(x, [1, 3, 14, 3]) + 1.0
    yield "flatten", here, lambda x: tf.matmul(tf.reshape(x, [1, -1]), wide)
    yield "flatten_open", open_batch, lambda x: tf.matmul(tf.reshape(x, [tf.shape(x)[0], 126]), wide)
    yield "squeeze", here, lambda x: tf.squeeze(tf.reduce_mean(x, [1, 2], keepdims=True), [1, 2])
    yield "squeeze_all", here, lambda x: tf.reshape(tf.squeeze(tf.reduce_mean(x, [1, 2], keepdims=True)), [1, 3])
    yield "expand", here, lambda x: tf.expand_dims(tf.expand_dims(tf.reduce_mean(x, [1, 2]), 1), 1) * x
    yield "transpose", here, lambda x: tf.transpose(x, [0, 2, 3, 1]) * 2.0
    yield "transpose_conv", (1, 3, 7, 6), lambda x: nn.conv2d(tf.transpose(x, [0, 2, 3, 1]), kernel, 1, "SAME")
    yield (
        "channel_shuffle",
        here,
        lambda x: tf.reshape(
            tf.transpose(tf.reshape(tf.concat([x, -x], 3), [1, 7, 6, 2, 3]), [0, 1, 2, 4, 3]), [1, 7, 6, 6]
        ),
    )
    yield "pad", here, lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]])
    yield "pad_channels", here, lambda x: tf.pad(x, [[0, 0], [0, 0], [0, 0], [1, 2]])
    yield "pad_value", here, lambda x: tf.pad(x, [[0, 0], [1, 0], [0, 1], [0, 0]], constant_values=-2.5)
    yield "mirror_pad", here, lambda x: tf.pad(x, [[0, 0], [1, 2], [2, 1], [0, 0]], mode="REFLECT")
    yield "softmax", here, lambda x: nn.softmax(tf.reduce_mean(x, [1, 2]) * 3.0)
    yield "softmax_maps", here, lambda x: nn.softmax(x)
    yield "log_softmax", here, lambda x: nn.log_softmax(tf.reduce_mean(x, [1, 2]))
    yield "leaky_elu", here, lambda x: nn.elu(nn.leaky_relu(x, 0.3))
    yield "relu_n1", here, lambda x: tf.maximum(-1.0, tf.minimum(x * 2.0, 1.0))
    yield "hard_swish", here, lambda x: x * nn.relu6(x + 3.0) * np.float32(1 / 6)
    yield "gelu", here, lambda x: nn.gelu(x)
    yield "gelu_tanh", here, lambda x: nn.gelu(x, approximate=True)
    yield "silu", here, lambda x: nn.silu(x)
    yield "resize_nearest", here, lambda x: tf.image.resize(x, [14, 9], "nearest")
    yield "resize_bilinear", here, lambda x: tf.image.resize(x, [14, 9], "bilinear")
    yield "resize_aligned", here, lambda x: tf.compat.v1.image.resize_bilinear(x, [14, 9], align_corners=True)
    yield "split", here, lambda x: tf.split(x, 3, 3)[2] * tf.split(x, 3, 2)[0][:, :, :1, :1]
    yield "split_sizes", here, lambda x: tf.split(x, [2, 1], 3)[0]
    yield "strided_slice", here, lambda x: x[:, 1:-1, ::2, 1:]
    yield "strided_pick", here, lambda x: x[:, 3, :, :]
    yield "slice", here, lambda x: tf.slice(x, [0, 1, 2, 0], [1, -1, 3, 2])
    yield "stack", here, lambda x: tf.stack([x[:, :, :, 0], x[:, :, :, 1]], 3)
    yield "unstack", here, lambda x: tf.unstack(x, axis=3)[1] * 3.0
    yield "matmul", here, lambda x: tf.matmul(x, tf.tanh(x), transpose_b=True)
    yield "matmul_constant", here, lambda x: tf.linalg.matmul(x, dense)
    yield (
        "norm_by_hand",
        here,
        lambda x: (
            (x - tf.reduce_mean(x, [3], keepdims=True))
            * tf.math.rsqrt(
                tf.reduce_mean(tf.math.squared_difference(x, tf.reduce_mean(x, [3], keepdims=True)), [3], keepdims=True)
                + 1e-3
            )
        ),
    )
    yield "roots", here, lambda x: tf.sqrt(tf.square(x)) + tf.math.log(tf.exp(x) + 1.0) + tf.pow(tf.exp(x), 2.5)
    yield "l2_norm", here, lambda x: tf.math.l2_normalize(x, 3)
    yield "local_response", here, lambda x: nn.local_response_normalization(x, 1, 1.0, 0.5, 0.75)
    yield "depth_to_space", here, lambda x: nn.depth_to_space(tf.concat([x, x * 2.0, x * 3.0, -x], 3), 2)
    yield "space_to_depth", (1, 8, 6, 3), lambda x: nn.space_to_depth(x, 2)
    yield "add_n", here, lambda x: tf.add_n([x, tf.tanh(x), tf.sigmoid(x)])
    yield "abs_neg", here, lambda x: -tf.abs(x)


def write_operations() -> None:
    """All in one stream (they share most of their bytes): models, outputs, where each ends; one picture a shape."""
    import tensorflow as tf

    names, models, outputs, pictures = [], [], [], {}
    for name, shape, function in operations():
        traced = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()])
        models.append(bytes(converter.convert()))
        key = "x".join(str(n or 1) for n in shape)
        if key not in pictures:
            pictures[key] = np.random.default_rng(2).normal(0, 1, [n or 1 for n in shape]).astype(np.float32)
        output = interpreted(models[-1], pictures[key])
        outputs.append(output.reshape(-1))
        names.append(f"{name} {key} {len(models[-1])} {'x'.join(map(str, output.shape))}")
    np.savez_compressed(
        GOLDEN / "tflite_ops.npz",
        index=np.array(names),
        models=np.frombuffer(b"".join(models), np.uint8),
        outputs=np.concatenate(outputs),
        **pictures,
    )


def tiny_networks() -> dict[str, Any]:
    from tensorflow import keras

    lay = keras.layers
    given = keras.Input((18, 17, 3))
    x = lay.Rescaling(1 / 127.5, -1)(given)
    x = lay.Conv2D(8, 3, 2, "same", use_bias=False, name="stem")(x)
    x = lay.ReLU(6, name="stem_relu")(lay.BatchNormalization(name="stem_bn")(x))
    y = lay.DepthwiseConv2D(3, padding="same", name="deep")(x)
    y = lay.BatchNormalization(name="deep_bn")(y)
    x = lay.Activation("relu", name="joined_relu")(lay.Add(name="joined")([x, y]))
    x = lay.BatchNormalization(name="alone")(lay.MaxPooling2D(2, padding="same", name="pool")(x))
    x = lay.Conv2D(24, 3, activation="hard_swish", name="wide")(x)
    squeezed = lay.Dense(24, "sigmoid", name="gate")(lay.GlobalAveragePooling2D(keepdims=True)(x))
    x = lay.Flatten()(lay.Multiply(name="gated")([x, squeezed]))
    plain = keras.Model(given, lay.Dense(5, "softmax", name="classes")(x))
    one = keras.Sequential([keras.Input((9, 9, 1)), lay.Conv2D(4, 3), lay.Flatten(), lay.Dense(1, "sigmoid")])
    return {"plain": plain, "one": one}


def write_networks() -> None:
    from tensorflow import keras

    keras.utils.set_random_seed(1)
    kept: dict[str, np.ndarray] = {}
    index, models = [], []
    for name, network in tiny_networks().items():
        shape = tuple(network.inputs[0].shape[1:])
        pictures = np.random.default_rng(4).integers(0, 256, (16, *shape)).astype(np.float32)
        randomised(network, 6, pictures[:1])
        kept[f"{name}.pictures"] = pictures[:4].astype(np.uint8)
        for kind in (*KINDS, "uint8") if name == "plain" else ("float32",):
            models.append(converted(network, kind, pictures))
            index.append(f"{name}.{kind} {name}.pictures {len(models[-1])}")
            kept[f"{name}.{kind}"] = np.concatenate([interpreted(models[-1], p[None]) for p in pictures[:4]])
    stream = np.frombuffer(b"".join(models), np.uint8)
    np.savez_compressed(GOLDEN / "tflite_networks.npz", index=np.array(index), models=stream, **kept)


# --------------------------------------------------------------------------------------------- compared by Cutaway


def compare(folder: Path, teachable: Path) -> None:
    """Applications made before, and Teachable Machine's files with reference.json -> docs/coverage/tflite.json."""
    versions = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
    by = f"TensorFlow {versions['tensorflow']}, Keras {versions['keras']}"
    rows = []
    for arrays in sorted(folder.glob("*.npz")):
        with np.load(arrays) as kept:
            for kind in (k for k in KINDS if k in kept):
                path = folder / f"{arrays.stem}.{kind}.tflite"
                row = {"format": f"TFLite {kind}", "network": arrays.stem.replace("-", " "), "versions": by}
                rows.append(row | measured(path, kept["pictures"], kept[kind], kind in ("dynamic", "int8")))
    for model, reference in TEACHABLE.items():
        told = json.loads((teachable / model).with_name(reference).read_text(encoding="utf-8"))
        expected = np.array([entry["probabilities"] for entry in told["images"].values()], np.float32)
        kind = "uint8" if told["input"]["dtype"] == "uint8" else "float32"
        pictures = pixels([teachable / "images" / name for name in told["images"]])
        pictures = pictures / 255 if kind == "uint8" else pictures / np.float32(127.5) - 1
        row = {"format": f"TFLite {kind}", "network": f"Teachable Machine ({model})", "versions": told["framework"]}
        rows.append(row | measured(teachable / model, pictures, expected, kind == "uint8"))
    target = ROOT / "docs" / "coverage" / "tflite.json"
    target.parent.mkdir(exist_ok=True)
    document = {"command": "python scripts/golden_tflite.py compare FOLDER TEACHABLE", "rows": rows}
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def pixels(paths: list[Path]) -> np.ndarray:
    from PIL import Image

    return np.stack([np.asarray(Image.open(path).convert("RGB"), np.float32) for path in paths])


def measured(path: Path, pictures: np.ndarray, expected: np.ndarray, approximate: bool) -> dict[str, Any]:
    """Model file, (N, H, W, C) as the network gets it, the reference's outputs -> opens, runs, difference, note."""
    import torch

    from cutaway.errors import BadModel
    from cutaway.formats import read_model_file

    row: dict[str, Any] = {"opens": False, "runs": False, "difference": None}
    try:
        parts = read_model_file(path)
        row["opens"] = True
        with torch.inference_mode():
            out = parts.graph(torch.from_numpy(pictures).permute(0, 3, 1, 2)).numpy()
    except (BadModel, RuntimeError) as error:
        return {**row, "note": str(error)}
    same = int((out.argmax(1) == expected.argmax(1)).sum())
    note = f"8-bit arithmetic, approximate; top class equal on {same} of {len(out)} pictures" if approximate else ""
    row |= {"runs": True, "difference": float(np.abs(out - expected).max()), "largest_output": float(expected.max())}
    print(path.name, row["difference"], note)
    return {**row, "note": note}


def main(words: list[str]) -> None:
    if words[:1] == ["tiny"]:
        GOLDEN.mkdir(exist_ok=True)
        write_operations()
        write_networks()
    elif words[:1] == ["applications"] and len(words) == 2:
        write_applications(Path(words[1]))
    elif words[:1] == ["compare"] and len(words) == 3:
        compare(Path(words[1]), Path(words[2]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
