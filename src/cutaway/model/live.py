"""A live nn.Module -> Model: traced by fx, by torch.export where fx cannot; the numbers are the module's own."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx, nn

from cutaway.errors import BadInput, BadModel, must_be
from cutaway.formats.torch_export import contract_assumed
from cutaway.graph.program import export
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model.model import Model

_ASSUMED = (
    "A module does not say how pictures are scaled: ImageNet's mean and spread are assumed; give contract=... where it "
    "was trained otherwise."
)


def model_of_module(
    module: nn.Module,
    size: int | tuple[int, int] | None,
    classes: Sequence[str] | None,
    contract: InputContract | None,
) -> Model:
    """Module, picture size, class names, contract -> Model; the module is left as it is.

    timm's networks carry their own contract (`pretrained_cfg`); for others `size` or `contract` is needed. Raises
    BadInput where neither is there, BadModel where the module cannot be taken apart or is no classifier of pictures.
    """
    name = type(module).__name__
    contract, note = _contract(module, name, size, contract)
    example = torch.rand(1, contract.in_channels, *contract.size, generator=torch.Generator().manual_seed(0))
    outputs = _outputs(module, name, example)
    if classes is not None and len(classes) != outputs:
        raise must_be("classes", f"{outputs} names, one for each output of {name}", classes)
    graph, how = _graph(module, example)
    notes = [note, how]
    if classes is None:
        notes.append(f"The module does not name its classes; they are called class 0 to class {outputs - 1}.")
    last = _last_layer(graph)
    names = tuple(classes or (f"class {n}" for n in range(outputs)))
    card = {"format": "live nn.Module", "producer": f"{type(module).__module__}.{name}"}
    return Model(graph, contract, names, last == "Softmax", {**card, "notes": " ".join(n for n in notes if n)})


def _contract(
    module: nn.Module, name: str, size: int | tuple[int, int] | None, contract: InputContract | None
) -> tuple[InputContract, str]:
    if contract is not None:
        return contract, ""
    channels = _channels(module, name)
    config: Any = getattr(module, "pretrained_cfg", None)
    if size is None and isinstance(config, dict) and "input_size" in config:
        size = tuple(config["input_size"][1:])
    if size is None:
        raise BadInput(f"{name} does not say what size of pictures it takes: give size=224, say.")
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(v, int) and 1 <= v <= 4096 for v in pair):
        raise must_be("size", "a side or (height, width) from 1 to 4096 pixels", size)
    made = contract_assumed(pair, channels)
    if channels == 3 and isinstance(config, dict) and {"mean", "std", "crop_pct", "interpolation"} <= set(config):
        mean, std = tuple(map(float, config["mean"])), tuple(map(float, config["std"]))
        how: Any = config["interpolation"] if config["interpolation"] in ("bilinear", "nearest") else "bicubic"
        return InputContract(pair, crop_fraction=config["crop_pct"], interpolation=how, mean=mean, std=std), ""
    return made, _ASSUMED


def _channels(module: nn.Module, name: str) -> int:
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            if part.in_channels in (1, 3):
                return part.in_channels
            raise BadModel(
                f"{name} takes pictures of {part.in_channels} channels; Cutaway feeds 1 (gray) or 3 (colour)."
            )
    raise BadModel(f"{name} has no convolution over pictures; Cutaway opens convolutional networks.")


def _outputs(module: nn.Module, name: str, example: torch.Tensor) -> int:
    """One pass in eval mode -> how many classes the module gives."""
    training = module.training
    like = next(module.parameters(), example)
    try:
        with torch.inference_mode():
            out = module.eval()(example.to(like.device, like.dtype))
    except Exception as error:  # whatever the module's own code raises
        size = " x ".join(map(str, example.shape[2:]))
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:150].rstrip(".")
        raise BadModel(f"{name} does not work on a picture of {size} px ({reason}); give another size.") from None
    finally:
        module.train(training)
    if not isinstance(out, torch.Tensor) or out.ndim != 2:
        shape = f"the shape {tuple(out.shape)}" if isinstance(out, torch.Tensor) else f"a {type(out).__name__}"
        raise BadModel(f"{name} gives {shape} for one picture; a classifier gives one number per class.")
    return int(out.shape[1])


def _graph(module: nn.Module, example: torch.Tensor) -> tuple[fx.GraphModule, str]:
    module = _on_cpu(module)
    try:
        return _agreeing(trace(module, example), module, example), ""
    except BadModel as by_fx:
        try:
            return export(
                module, example
            ), "Taken over with torch.export, because its code cannot be traced layer by layer."
        except BadModel as by_export:
            raise BadModel(f"{by_fx} By torch.export: {by_export}") from None


def _agreeing(graph: fx.GraphModule, module: nn.Module, example: torch.Tensor) -> fx.GraphModule:
    """A trace freezes what the module's Python decides: the graph must give its numbers on other values too."""
    with torch.inference_mode():
        for x in (example, -example):
            if not torch.allclose(graph(x), module(x), rtol=1e-4, atol=1e-5, equal_nan=True):
                raise BadModel(
                    f"{type(module).__name__} decides by the picture's values which way to go; no graph can hold that."
                )
    return graph


def _on_cpu(module: nn.Module) -> nn.Module:
    if any(p.is_meta for p in module.parameters()):
        raise BadModel(f"{type(module).__name__} has no weights (it is on the device 'meta').")
    held = [*module.parameters(), *module.buffers()]
    ready = all(t.device.type == "cpu" and (t.dtype == torch.float32 or not t.is_floating_point()) for t in held)
    return module if ready and not module.training else copy.deepcopy(module).cpu().float().eval()


def _last_layer(graph: fx.GraphModule) -> str:
    (out,) = (n.args[0] for n in graph.graph.nodes if n.op == "output")
    if isinstance(out, fx.Node) and out.op == "call_module":
        return type(graph.get_submodule(str(out.target))).__name__
    return ""
