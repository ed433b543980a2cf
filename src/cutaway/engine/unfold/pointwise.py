"""Activations and other functions of one number: formula and value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from cutaway.engine.unfold.place import Place, as_numpy, short
from cutaway.engine.unfold.terms import Arithmetic, Line

Curve = Callable[[float], float]


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _gelu(x: float) -> float:
    return x / 2 * math.erfc(-x / math.sqrt(2))


def _gelu_tanh(x: float) -> float:
    return x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _held(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


def _elu(x: float, alpha: float) -> float:
    return x if x > 0 else alpha * math.expm1(x)


_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017
GELU_TANH = "x / 2 × (1 + tanh(√(2/π) × (x + 0.044715 x³)))"
GELU = "x × Φ(x), the normal distribution's share below x"

# kind: (layer -> formula in words, layer -> function of one number)
LAYERS: dict[str, tuple[Callable[[Any], str], Callable[[Any], Curve]]] = {
    "ReLU": (lambda _: "max(0, x)", lambda _: lambda x: max(x, 0.0)),
    "ReLU6": (lambda _: "min(max(0, x), 6)", lambda _: lambda x: _held(x, 0.0, 6.0)),
    "LeakyReLU": (
        lambda m: f"x where x > 0, otherwise {m.negative_slope:g} × x",
        lambda m: lambda x: x if x > 0 else m.negative_slope * x,
    ),
    "ELU": (lambda m: f"x where x > 0, otherwise {m.alpha:g} × (eˣ - 1)", lambda m: lambda x: _elu(x, m.alpha)),
    "SELU": (
        lambda _: "1.0507 × (x where x > 0, otherwise 1.6733 × (eˣ - 1))",
        lambda _: lambda x: _SELU_SCALE * _elu(x, _SELU_ALPHA),
    ),
    "CELU": (
        lambda m: f"x where x > 0, otherwise {m.alpha:g} × (e^(x / {m.alpha:g}) - 1)",
        lambda m: lambda x: max(x, 0.0) + min(0.0, m.alpha * math.expm1(min(x, 0.0) / m.alpha)),
    ),
    "GELU": (
        lambda m: GELU if m.approximate == "none" else GELU_TANH,
        lambda m: _gelu if m.approximate == "none" else _gelu_tanh,
    ),
    "SiLU": (lambda _: "x × sigmoid(x) = x / (1 + e⁻ˣ)", lambda _: lambda x: x * _sigmoid(x)),
    "Mish": (lambda _: "x × tanh(ln(1 + eˣ))", lambda _: lambda x: x * math.tanh(_softplus(x))),
    "Sigmoid": (lambda _: "1 / (1 + e⁻ˣ)", lambda _: _sigmoid),
    "Tanh": (lambda _: "tanh(x)", lambda _: math.tanh),
    "Softplus": (
        lambda m: f"ln(1 + e^({m.beta:g} x)) / {m.beta:g}",
        lambda m: lambda x: x if x * m.beta > m.threshold else _softplus(m.beta * x) / m.beta,
    ),
    "Softsign": (lambda _: "x / (1 + |x|)", lambda _: lambda x: x / (1 + abs(x))),
    "Hardtanh": (
        lambda m: f"x held between {m.min_val:g} and {m.max_val:g}",
        lambda m: lambda x: _held(x, m.min_val, m.max_val),
    ),
    "Hardswish": (lambda _: "x × min(max(0, x + 3), 6) / 6", lambda _: lambda x: x * _held(x + 3, 0.0, 6.0) / 6),
    "Hardsigmoid": (lambda _: "min(max(0, x + 3), 6) / 6", lambda _: lambda x: _held(x + 3, 0.0, 6.0) / 6),
    "LogSigmoid": (lambda _: "-ln(1 + e⁻ˣ)", lambda _: lambda x: -_softplus(-x)),
    "ClippedReLU": (lambda m: _clipped_words(m), lambda m: lambda x: _clipped(m, x)),
}

FUNCTIONS: dict[str, tuple[str, Curve]] = {
    "neg": ("-x", lambda x: -x),
    "sqrt": ("√x", lambda x: math.sqrt(x) if x >= 0 else math.nan),
    "rsqrt": ("1 / √x", lambda x: 1 / math.sqrt(x) if x > 0 else (math.inf if x == 0 else math.nan)),
    "exp": ("eˣ", lambda x: math.exp(x) if x < 709 else math.inf),
    "log": ("ln x", lambda x: math.log(x) if x > 0 else (-math.inf if x == 0 else math.nan)),
    "sin": ("sin x", math.sin),
    "cos": ("cos x", math.cos),
    "abs": ("|x|", abs),
    "square": ("x²", lambda x: x * x),
    "sigmoid": ("1 / (1 + e⁻ˣ)", _sigmoid),
    "tanh": ("tanh(x)", math.tanh),
    "relu": ("max(0, x)", lambda x: max(x, 0.0)),
}


def activation(place: Place) -> Arithmetic:
    """A layer of LAYERS -> its formula and what it gives here."""
    words, curve = LAYERS[place.kind]
    return _one(place, words(place.module), curve(place.module))


def prelu(place: Place) -> Arithmetic:
    weight = as_numpy(place.module.weight)
    channel = place.at[1] if len(weight) > 1 else 0
    slope = float(weight[channel])
    return _one(place, "x where x > 0, otherwise slope × x", lambda x: x if x > 0 else slope * x, {"slope": slope})


def rescale(place: Place) -> Arithmetic:
    """Rescale: one scale and offset for all channels, or one a channel."""
    layer = place.module
    scale, offset = (row[place.at[1] if len(row) > 1 else 0] for row in (layer.scale, layer.offset))
    return _one(place, "x × scale + offset", lambda x: x * scale + offset, {"scale": scale, "offset": offset})


def scale_channels(place: Place) -> Arithmetic:
    """ScaleChannels: the channel's own factor; 0 makes it 0 whatever it holds."""
    layer = place.module
    factor = layer.factors[place.at[layer.dim]]
    if factor:
        return _one(place, "x × factor", lambda x: x * factor, {"factor": factor})
    leads_to = [place.cell(place.input, place.at)]
    return place.found(0.0, "0: the channel is silenced", parameters={"factor": 0.0}, leads_to=leads_to)


def always_dropout(place: Place) -> Arithmetic:
    """AlwaysDropout: zero where the seed says so, otherwise divided by the share that stays."""
    layer = place.module
    gain = float(layer.gains(place.shape(place.input))[place.at[1] if layer.whole_maps else place.at[1:]])
    told = f"x / {1 - layer.p:g}, kept" if gain else "0: dropped"
    return _one(place, told, lambda x: x * gain, {"rate": layer.p})


def plain(place: Place) -> Arithmetic:
    """A call of FUNCTIONS, torch's or a tensor's own."""
    words, curve = FUNCTIONS[_function(place)]
    return _one(place, words, curve)


def softplus(place: Place) -> Arithmetic:
    beta = float(place.settled(place.argument(1, "beta", 1.0)))
    top = float(place.settled(place.argument(2, "threshold", 20.0)))
    return _one(
        place, f"ln(1 + e^({beta:g} x)) / {beta:g}", lambda x: x if x * beta > top else _softplus(beta * x) / beta
    )


def clamp(place: Place) -> Arithmetic:
    low = place.settled(place.argument(1, "min"))
    high = place.settled(place.argument(2, "max"))
    low = -math.inf if low is None else float(low)
    high = math.inf if high is None else float(high)
    return _one(place, f"x held between {low:g} and {high:g}", lambda x: _held(x, low, high))


def _function(place: Place) -> str:
    return str(getattr(place.node.target, "__name__", place.node.target))


def _one(place: Place, formula: str, curve: Curve, used: dict[str, float] | None = None) -> Arithmetic:
    x = place.single(place.input, place.at)
    y = x if math.isnan(x) else curve(x)
    lines = [Line("x", x), Line("total", y, re.sub(r"\bx\b", short(x), formula) if formula in _PUT_IN else "")]
    return place.found(y, formula, lines=lines, parameters=used, leads_to=[place.cell(place.input, place.at)])


_PUT_IN = {"max(0, x)", "min(max(0, x), 6)", "tanh(x)", "-x", "|x|"}


def _clipped(m: Any, x: float) -> float:
    if x < m.threshold:
        return float(m.negative_slope * (x - m.threshold))
    return x if m.top is None else min(x, float(m.top))


def _clipped_words(m: Any) -> str:
    top = "x" if m.top is None else f"min(x, {m.top:g})"
    return f"{top} where x ≥ {m.threshold:g}, otherwise {m.negative_slope:g} × (x - {m.threshold:g})"
