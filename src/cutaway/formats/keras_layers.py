"""The list of Keras layers Cutaway builds: class name -> builder. A layer that is not here is named and refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cutaway.formats import keras_activation, keras_conv, keras_shape
from cutaway.formats.keras_emit import Emit, Value
from cutaway.formats.keras_tree import shown

_ONE: dict[str, Callable[[Emit, Value], Value]] = {
    "Conv1D": keras_conv.conv1d,
    "Conv2D": keras_conv.conv2d,
    "DepthwiseConv2D": keras_conv.depthwise_conv2d,
    "SeparableConv2D": keras_conv.separable_conv2d,
    "Conv2DTranspose": keras_conv.conv2d_transpose,
    "Dense": keras_conv.dense,
    "BatchNormalization": keras_conv.batch_normalization,
    "LayerNormalization": keras_conv.layer_normalization,
    "Activation": keras_activation.activation,
    "ReLU": keras_activation.relu,
    "LeakyReLU": keras_activation.leaky_relu,
    "ThresholdedReLU": keras_activation.thresholded_relu,
    "PReLU": keras_activation.prelu,
    "ELU": keras_activation.elu,
    "Softmax": keras_activation.softmax,
    "Dropout": keras_shape.dropout,
    "SpatialDropout2D": keras_shape.dropout,
    "AlphaDropout": keras_shape.dropout,
    "Flatten": keras_shape.flatten,
    "Reshape": keras_shape.reshape,
    "Permute": keras_shape.permute,
    "GlobalAveragePooling2D": keras_shape.global_pooling,
    "GlobalMaxPooling2D": keras_shape.global_pooling,
    "MaxPooling2D": keras_shape.max_pooling,
    "AveragePooling2D": keras_shape.average_pooling,
    "ZeroPadding2D": keras_shape.zero_padding,
    "Cropping2D": keras_shape.cropping,
    "UpSampling2D": keras_shape.up_sampling,
    "Resizing": keras_shape.resizing,
    "Rescaling": keras_shape.rescaling,
    "Normalization": keras_shape.normalization,
}
# Act only while training. (AutoContrast, Equalization, Solarization and RandomCrop act always: not on the list.)
_IDLE = """
    GaussianNoise GaussianDropout ActivityRegularization Identity
    RandomFlip RandomRotation RandomZoom RandomTranslation RandomContrast RandomBrightness RandomShear RandomHue
    RandomSaturation RandomGrayscale RandomGaussianBlur RandomInvert RandomPosterization RandomSharpness
    RandomColorJitter RandomColorDegeneration RandomErasing RandomPerspective RandomElasticTransform
    MixUp CutMix RandAugment AugMix
"""
_ONE.update(dict.fromkeys(_IDLE.split(), keras_shape.identity))
_MANY = ("Add", "Average", "Multiply", "Subtract", "Maximum", "Minimum")
_ARITHMETIC = {
    "Add": "add",
    "Subtract": "sub",
    "Multiply": "mul",
    "TrueDivide": "div",
    "Divide": "div",
    "math.add": "add",
    "__operators__.add": "add",
    "math.subtract": "sub",
    "math.multiply": "mul",
    "math.truediv": "div",
    "math.divide": "div",
}
_FUNCTIONS = {
    "nn.relu": "relu",
    "nn.relu6": "relu6",
    "nn.sigmoid": "sigmoid",
    "nn.softmax": "softmax",
    "nn.swish": "swish",
}


def build_layer(e: Emit, operands: Sequence[Value | float]) -> Value:
    """One use of a layer: values (and, for bare arithmetic, numbers) -> the value it makes.

    Raises BadModel naming a layer that is not on the list, and why where that is known.
    """
    values = [v for v in operands if isinstance(v, Value)]
    kind = str(e.settings.raw("function")) if e.kind == "TFOpLambda" else e.kind
    if not values:
        raise e.refuse("it is applied to nothing.")
    if kind in _ARITHMETIC and len(operands) == 2 and len(values) == 1:
        number_first = isinstance(operands[1], Value)
        number = next(v for v in operands if not isinstance(v, Value))
        return keras_conv.multiply_add(e, values[0], _ARITHMETIC[kind], number, number_first)
    if e.kind == "TFOpLambda":
        return _function(e, kind, values, operands)
    if len(values) != len(operands) and kind in (*_MANY, "Concatenate"):
        raise e.refuse("it joins values with numbers, which is not on Cutaway's list.")
    if kind in _MANY and len(values) > 1:
        return keras_shape.merge(e, *values)
    if kind == "Concatenate":
        return keras_shape.concatenate(e, *values)
    if kind not in _ONE:
        raise e.refuse(_why(e.kind))
    if len(values) != 1:
        raise e.refuse(f"it takes one value; the file gives it {len(values)}.")
    return _ONE[kind](e, values[0])


def _function(e: Emit, kind: str, values: list[Value], operands: Sequence[Value | float]) -> Value:
    merged = {"add": "Add", "sub": "Subtract", "mul": "Multiply"}.get(_ARITHMETIC.get(kind, ""))
    if merged and len(values) == len(operands) == 2:
        e.kind = merged
        return keras_shape.merge(e, *values)
    if kind in _FUNCTIONS and len(operands) == 1:
        return keras_activation.named(e, values[0], _FUNCTIONS[kind])
    raise e.refuse(f"it calls the TensorFlow function {shown(kind)}, which is not on Cutaway's list.")


def _why(kind: str) -> str:
    if kind == "Lambda":
        return (
            "a Lambda layer is Python code inside the file, which Cutaway does not run; "
            "replace it by a standard layer and save again."
        )
    return "this kind of layer is not on Cutaway's list; nothing was run."
