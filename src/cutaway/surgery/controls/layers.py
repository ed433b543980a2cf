"""Controls of what a step does and gives: activation, normalisation, dropout, channels, its place in the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from torch import fx, nn

from cutaway.errors import BadInput, CutawayError
from cutaway.graph import extra
from cutaway.graph.blocks import blocks_of
from cutaway.graph.functions import name_of
from cutaway.graph.kinds import kind_of
from cutaway.graph.names import names_of
from cutaway.surgery import activations
from cutaway.surgery.activations import ActivationName, activation_of
from cutaway.surgery.channels import channel_axis
from cutaway.surgery.controls.control import (
    Choice,
    Control,
    Field,
    Place,
    checkbox,
    help_of,
    menu,
    number,
    slider,
    worded,
)
from cutaway.surgery.filters_of import CONVOLUTIONS
from cutaway.surgery.fit import FitInput
from cutaway.surgery.layers import ends
from cutaway.surgery.made import WORDS, gets
from cutaway.surgery.norms import BATCH_NORMS, NORMS
from cutaway.surgery.rewire import _after, _inputs
from cutaway.surgery.settings import DROPOUTS

ACTIVATION, NORM, DROPOUT, GIVEN, STRUCTURE = "Activation", "Normalisation", "Dropout", "Channels it gives", "Structure"
_RATED = {"StochasticDepth": "p", "DropPath": "drop_prob"}
_NAMES: dict[type[nn.Module], str] = {
    nn.ReLU: "relu", nn.ReLU6: "relu6", nn.LeakyReLU: "leaky_relu", nn.PReLU: "prelu", nn.ELU: "elu", nn.SELU: "selu",
    nn.CELU: "celu", nn.GELU: "gelu", nn.SiLU: "silu", nn.Mish: "mish", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh",
    nn.Softplus: "softplus", nn.Softsign: "softsign", nn.Hardtanh: "hardtanh", nn.Hardswish: "hardswish",
    nn.Hardsigmoid: "hardsigmoid", nn.LogSigmoid: "log_sigmoid", nn.Identity: "identity",
    extra.ClippedReLU: "clipped_relu",
}  # fmt: skip
_PARAMETERS = {
    "clipped_relu": ("top", 0.1, 20.0), "leaky_relu": ("negative_slope", -0.5, 1.0), "elu": ("alpha", 0.05, 4.0),
    "celu": ("alpha", 0.05, 4.0), "softplus": ("beta", 0.1, 10.0), "hardtanh": ("max_val", 0.1, 10.0),
}  # fmt: skip
"""Name -> the layer's attribute and the range of its slider."""


def activation(place: Place) -> Iterator[Control]:
    """Of an activation, and of the layer it belongs to."""
    try:
        name = activation_of(place.patient, place.layer)
    except BadInput:
        return
    node = place.patient.node(name)
    if activations._is_softmax(place.patient, node) and not activations._is_last(node):
        return
    module: Any = place.patient.layer(name) if node.op == "call_module" else None
    now = _NAMES.get(type(module), "") if module is not None else _called(node)
    if type(module) is nn.GELU and module.approximate == "tanh":
        now = "gelu_tanh"
    choices = [Choice(one, worded(one) if one != "identity" else "none") for one in get_args(ActivationName)]
    belongs = f" ({name})" if name != place.layer else ""
    start = [] if now in get_args(ActivationName) else [Choice(None, f"{now or 'as it is'}, as it was learned")]
    document: dict[str, Any] = {"edit": "set_activation", "layer": place.layer, "to": now if not start else "relu"}
    menu_ = Field((("to",),), f"Activation{belongs}", "menu", None if start else now, choices=(*start, *choices))
    if start:  # of an edit that names none yet the menu shows what is there
        yield place.control(document, "Activation", ACTIVATION, [menu_], free=("parameter",), common=True)
        return
    yield place.control(
        {**document, "parameter": None}, "Activation", ACTIVATION, [menu_], free=("parameter",), common=True, fresh=True
    )
    if now in _PARAMETERS and module is not None:
        key, low, high = _PARAMETERS[now]
        value = _number(module, key)
        field = slider(
            "parameter", activations._WITH_PARAMETER[now][0].capitalize(), value, low, high, 0.01 if high <= 1 else 0.05
        )
        yield place.control(
            {**document, "parameter": value}, f"Parameter of {worded(now)}", ACTIVATION, [field], free=("to",),
            common=True, id_="set_activation:parameter", fresh=True, meaning=help_of("set_activation", "parameter"),
        )  # fmt: skip


def _number(module: nn.Module, key: str) -> float:
    held: Any = vars(module).get(key)
    return 6.0 if held is None else float(held)


def _called(node: fx.Node) -> str:
    name = str(node.target) if node.op == "call_method" else (name_of(node.target) or "")  # type: ignore[arg-type]
    return "" if name in ("clamp", "softmax", "torch_softmax") else name


def normalisation(place: Place) -> Iterator[Control]:
    module: Any = place.module
    if not isinstance(module, NORMS):
        return
    layer = place.layer
    yield place.control({"edit": "remove_norm", "layer": layer}, "Remove", NORM, action=f"Remove {layer}", common=True)
    if hasattr(module, "eps"):
        eps = slider(
            "eps", "Epsilon", _number(module, "eps"), 1e-7, 10.0, 0.01, log=True, help=help_of("set_epsilon", "eps")
        )
        yield place.control({"edit": "set_epsilon", "layer": layer, "eps": module.eps}, "Epsilon", NORM, [eps])
    if isinstance(module, BATCH_NORMS) and module.running_mean is not None:
        if _foldable(place):
            yield place.control(
                {"edit": "fold_norm", "layer": layer}, "Fold", NORM, action="Fold into the layer before"
            )
        frozen = isinstance(module, extra.FrozenBatchNorm1d | extra.FrozenBatchNorm2d)
        field = checkbox("frozen", "Keep the stored statistics when it learns again", frozen)
        yield place.control({"edit": "freeze_statistics", "layer": layer, "frozen": frozen}, "Freeze", NORM, [field])
        yield place.control({"edit": "reset_statistics", "layer": layer}, "Reset", NORM, action="Forget the statistics")


def dropout(place: Place) -> Iterator[Control]:
    module: Any = place.module
    kind = type(module).__name__
    if not isinstance(module, DROPOUTS) and kind not in _RATED:
        return
    rate, always = float(getattr(module, _RATED.get(kind, "p"))), isinstance(module, extra.AlwaysDropout)
    seed = int(getattr(module, "seed", 0))
    document = {"edit": "set_dropout", "layer": place.layer, "rate": rate, "at_prediction": always, "seed": seed}
    fields = [slider("rate", "Rate", rate, 0, 1, 0.01, help=help_of("set_dropout", "rate"))]
    if isinstance(module, extra.AlwaysDropout | nn.Dropout | nn.Dropout1d | nn.Dropout2d):  # others know no other
        fields += [
            checkbox("at_prediction", "Drop when predicting too", always, help=help_of("set_dropout", "at_prediction")),
            number("seed", "Seed", seed, 0, 9999, help=help_of("set_dropout", "seed")),
        ]
    yield place.control(document, "Dropout", DROPOUT, fields, common=True)


def given(place: Place) -> Iterator[Control]:
    """Channels of what any step gives: silenced, kept alone, weaker, stronger."""
    count = channels_given(place)
    if not count:
        return
    chosen = [c for c in place.channels if c < count]
    words = f"channel{'s' * (len(chosen) > 1)} {', '.join(map(str, chosen[:6]))}" if chosen else "all channels"
    document: dict[str, Any] = {"layer": place.layer, "channels": chosen or list(range(count))}
    yield place.control(
        {"edit": "silence", **document}, "Silence", GIVEN, action=f"Silence {words}", common=True
    )  # fmt: skip
    if chosen and len(chosen) < count:
        yield place.control(
            {"edit": "keep_only", **document}, "Keep only", GIVEN, action=f"Keep only {words}", common=True
        )
    factor = slider("factor", f"Times, {words}", 1, -2, 4, 0.05, rest=1)
    yield place.control(
        {"edit": "scale_channels", "layer": place.layer, "channels": chosen, "factor": 1}, "Weaker or stronger", GIVEN,
        [factor], common=True,
    )  # fmt: skip


def channels_given(place: Place) -> int:
    """How many channels the step's value has, 0 for one that has none."""
    try:
        return channel_axis(place.patient, place.layer)[0]
    except BadInput:
        return 0


def structure(place: Place) -> Iterator[Control]:
    """The step's place in the network: taken out, another in its place or behind it, reading another step."""
    node = place.patient.node(place.layer)
    if node.op != "placeholder":
        yield from _removals(place)
    shape = place.shape(place.layer)
    if len(shape) > 1:
        yield _insert(place, node, shape)
    if node.op == "placeholder":
        return
    before = place.shape(place.patient.name(node.all_input_nodes[0])) if node.all_input_nodes else ()
    single = node.op == "call_module" or len(node.all_input_nodes) == 1
    if before and single:
        document = {"edit": "replace", "layer": place.layer, "kind_of": "conv" if len(before) == 4 else "dense"}
        fields = [menu("kind_of", "By", document["kind_of"], _kinds(before)), _seed("replace")]
        yield place.control(document, "Replace", STRUCTURE, fields, action=f"Replace {place.layer}")
    yield from _rewires(place, node)
    if _fits(place):
        yield place.control(
            {"edit": "fit_input", "layer": place.layer}, "Make anew", STRUCTURE, [_seed("fit_input")],
            action="Fit to what it gets",
        )  # fmt: skip


def _seed(kind: str) -> Field:
    return number("seed", "Seed", 0, 0, 9999, help=help_of(kind, "seed") or "Which random weights it gets.")


def _removals(place: Place) -> Iterator[Control]:
    blocks = blocks_of(place.patient.graph).get(place.layer, ())
    steps = names_of(place.patient.graph)  # a name that is a step's and a block's means the step
    for name in (place.layer, *(block for block in reversed(blocks) if block not in steps)):
        try:
            ends(place.patient, name)
        except BadInput:
            continue
        what = name if name == place.layer else f"the whole block {name}"
        bridge = checkbox("bridge", "Bridge the gap", False, help=help_of("remove", "bridge"))
        yield place.control(
            {"edit": "remove", "layer": name}, "Remove" if name == place.layer else f"Remove {name}", STRUCTURE,
            [bridge], action=f"Remove {what}", common=name == place.layer, id_=f"remove:{name}",
        )  # fmt: skip


def _kinds(shape: tuple[int, ...]) -> list[Choice]:
    """Words for layers that can stand where values have this shape."""
    made = [Choice(word, worded(word)) for word, axes in WORDS.items() if len(shape) in axes and word != "batch_norm"]
    return made + [Choice(name, worded(name)) for name in get_args(ActivationName) if name != "identity"]


def _insert(place: Place, node: fx.Node, shape: tuple[int, ...]) -> Control:
    readers = [place.patient.name(user) for user in node.users if user.op != "output"]
    fields = [menu("kind_of", "A new", "relu", _kinds(shape))]
    if len(readers) > 1:
        fields.append(menu("reader", "Read by", "", [Choice("", "all that read this"), *readers]))
    document = {"edit": "insert", "after": place.layer, "kind_of": "relu", "reader": ""}
    return place.control(
        document, "Insert", STRUCTURE, [*fields, _seed("insert")], action=f"Insert after {place.layer}"
    )


def _rewires(place: Place, node: fx.Node) -> Iterator[Control]:
    names = {one: name for name, one in names_of(place.patient.graph).items()}
    later = _after(node) | {node}
    order = [one for one in place.patient.graph.graph.nodes if one not in later and place.shape(names.get(one, ""))]
    for which, source in enumerate(_inputs(node)):
        now = names[source]
        fits = sorted(order, key=lambda one: place.shape(names[one]) != place.shape(now))
        choices = [Choice(names[one], f"{names[one]} ({worded(place.shape(names[one])[1:])})") for one in fits]
        if len(choices) < 2 or source not in fits:
            continue
        field = menu(
            "to", "Reads" if which == 0 else f"Input {which} reads", now, choices, help=help_of("rewire", "to")
        )
        document = {"edit": "rewire", "layer": place.layer, "to": now, "input": which}
        yield place.control(document, "Rewire", STRUCTURE, [field], id_=f"rewire:{which}", fresh=True)


def _foldable(place: Place) -> bool:
    """Whether a norm with statistics stands alone behind a convolution or dense layer."""
    before = place.patient.node(place.layer).all_input_nodes[0]
    if before.op != "call_module" or len(before.users) > 1:
        return False
    layer = place.patient.graph.get_submodule(str(before.target))
    return isinstance(layer, CONVOLUTIONS | nn.Linear) and "StdConv" not in type(layer).__name__


def _fits(place: Place) -> bool:
    """Whether the layer takes a certain number of channels, so that it can be made anew for another."""
    if place.module is None or kind_of(place.module) is None:
        return False
    try:
        FitInput(place.layer)._fitting(place.module, gets(place.patient, place.layer, place.dry.shapes))
    except CutawayError:
        return False
    return True
