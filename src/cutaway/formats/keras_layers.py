"""The list of Keras layers Cutaway builds: class name -> builder. A layer that is not here is named and refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cutaway.formats import keras_activation, keras_conv, keras_shape
from cutaway.formats.keras_emit import Emit, Operand, Value
from cutaway.formats.keras_functions import function, is_function

_ONE: dict[str, Callable[[Emit, Value], Value]] = {
    "Conv1D": keras_conv.conv1d,
    "Conv2D": keras_conv.conv2d,
    "DepthwiseConv2D": keras_conv.depthwise_conv2d,
    "SeparableConv2D": keras_conv.separable_conv2d,
    "Conv2DTranspose": keras_conv.conv2d_transpose,
    "Dense": keras_conv.dense,
    "BatchNormalization": keras_conv.batch_normalization,
    "LayerNormalization": keras_conv.layer_normalization,
    "LayerScale": keras_conv.layer_scale,
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
    StochasticDepth GaussianNoise GaussianDropout ActivityRegularization Identity
    RandomFlip RandomRotation RandomZoom RandomTranslation RandomContrast RandomBrightness RandomShear RandomHue
    RandomSaturation RandomGrayscale RandomGaussianBlur RandomInvert RandomPosterization RandomSharpness
    RandomColorJitter RandomColorDegeneration RandomErasing RandomPerspective RandomElasticTransform
    MixUp CutMix RandAugment AugMix
"""
_ONE.update(dict.fromkeys(_IDLE.split(), keras_shape.identity))
_MANY = ("Add", "Average", "Multiply", "Subtract", "Maximum", "Minimum")


def build_layer(e: Emit, operands: Sequence[Operand]) -> Value:
    """One use of a layer: values (and, for bare arithmetic, numbers) -> the value it makes.

    Raises BadModel naming a layer that is not on the list, and why where that is known.
    """
    values = [v for v in operands if isinstance(v, Value)]
    if not values:
        raise e.refuse("it is applied to nothing.")
    if any(v.picked is not None for v in values) and not e.takes_picked:
        raise e.refuse("it reads one channel cut out of a value, which is not on Cutaway's list.")
    if is_function(e) or (len(values) != len(operands) and e.kind in ("Add", "Subtract", "Multiply")):
        return function(e, operands)  # Keras 3 does not always say whether Add is the layer or the function
    if len(values) != len(operands):
        raise e.refuse("it joins values with numbers, which is not on Cutaway's list.")
    if e.kind in _MANY and len(values) > 1:
        return keras_shape.merge(e, *values)
    if e.kind == "Concatenate":
        return keras_shape.concatenate(e, *values)
    if e.kind not in _ONE:
        raise e.refuse(_why(e.kind))
    if len(values) != 1:
        raise e.refuse(f"it takes one value; the file gives it {len(values)}.")
    return _ONE[e.kind](e, values[0])


def _why(kind: str) -> str:
    if kind == "Lambda":
        return (
            "a Lambda layer is Python code inside the file, which Cutaway does not run; "
            "replace it by a standard layer and save again."
        )
    return "this kind of layer is not on Cutaway's list; nothing was run."
