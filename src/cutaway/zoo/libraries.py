"""torchvision and timm: which networks they name, how each is made, what its published input and weights are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import timm
import timm.data
import torch
import torchvision
from torch import nn

from cutaway.image import InputContract
from cutaway.zoo.named import NetworkRow
from cutaway.zoo.plain import PLAIN

Size = tuple[int, int]
AUX_OFF = {"googlenet": {"aux_logits": False}, "inception_v3": {"aux_logits": False}}
_SIZE_KNOB = {"maxvit": "input_size", "vit": "image_size"}  # torchvision networks that are built for one size
_FITS = {"center": "crop", "squash": "squash", "border": "pad"}


def torchvision_names() -> list[str]:
    return list(torchvision.models.list_models(module=torchvision.models))


def torchvision_network(name: str, classes: int, size: Size, knobs: dict[str, Any]) -> nn.Module:
    """A torchvision classifier with fresh weights, auxiliary heads off."""
    settings: dict[str, Any] = {"num_classes": classes, **AUX_OFF.get(name, {}), **knobs}
    if name in AUX_OFF:
        settings.setdefault("init_weights", True)
    if (knob := _SIZE_KNOB.get(name.split("_")[0])) is not None:
        settings[knob] = size if knob == "input_size" else size[0]
    network: nn.Module = torchvision.models.get_model(name, weights=None, **settings)
    return network


def torchvision_weights(name: str, tag: str = "") -> Any:
    """Name, tag -> torchvision's entry for these weights (default without a tag), None where there is none."""
    entries = torchvision.models.get_model_weights(name)
    if tag:
        return entries.__members__.get(tag)
    return entries.__members__.get("DEFAULT") or next(iter(entries), None)


def torchvision_tags(name: str) -> list[str]:
    return [tag for tag in torchvision.models.get_model_weights(name).__members__ if tag != "DEFAULT"]


def torchvision_note(entry: Any) -> str:
    return f"ImageNet top-1 {entry.meta['_metrics']['ImageNet-1K']['acc@1']:.1f} %"


def torchvision_contract(entry: Any) -> InputContract:
    """Weights' entry -> the contract of its evaluation transform: shorter side to resize_size, centre of crop_size."""
    recipe = entry.transforms()
    side = int(recipe.crop_size[0])
    return InputContract(
        size=(side, side),
        crop_fraction=side / int(recipe.resize_size[0]),
        interpolation=recipe.interpolation.value,
        mean=tuple(recipe.mean),
        std=tuple(recipe.std),
    )


def timm_config(name: str, tag: str = "") -> Any:
    """Name, tag -> timm's pretrained configuration, None where timm has no such tag."""
    if tag and tag not in timm_tags(name):
        return None
    return timm.get_pretrained_cfg(f"{name}.{tag}" if tag else name)


def timm_tags(name: str) -> list[str]:
    return [full.partition(".")[2] for full in timm.list_pretrained(f"{name}.*")]


def timm_network(name: str, classes: int, settings: dict[str, Any]) -> nn.Module:
    """A timm network with fresh weights; attention written out as products and softmax, so that it can be watched."""
    with _attention_written_out():
        return timm.create_model(name, pretrained=False, num_classes=classes, **settings)


def timm_converted(
    name: str, state: dict[str, torch.Tensor], classes: int, settings: dict[str, Any]
) -> nn.Module | None:
    """As timm_network with weights in a layout that timm itself converts; None where it cannot."""
    overlay = {"state_dict": state, "num_classes": classes, "custom_load": False, "source": ""}
    try:
        with _attention_written_out():
            return timm.create_model(
                name, pretrained=True, num_classes=classes, pretrained_cfg_overlay=overlay, **settings
            )
    except (RuntimeError, KeyError, AttributeError, ValueError, IndexError):  # what its converters raise on other files
        return None


@contextlib.contextmanager
def _attention_written_out() -> Iterator[None]:
    from timm import layers

    switch: Any = layers
    before = bool(switch.use_fused_attn())
    switch.set_fused_attn(False)
    try:
        yield
    finally:
        switch.set_fused_attn(before)


def timm_contract(config: Any) -> InputContract:
    """timm's pretrained configuration -> the contract of its evaluation transform."""
    data: Any = timm.data
    recipe = data.resolve_data_config(pretrained_cfg=config.to_dict())
    _, height, width = recipe["input_size"]
    return InputContract(
        size=(height, width),
        fit=_FITS[recipe["crop_mode"]],  # type: ignore[arg-type]
        crop_fraction=recipe["crop_pct"],
        interpolation=recipe["interpolation"],
        mean=tuple(recipe["mean"]),
        std=tuple(recipe["std"]),
    )


def timm_classes(config: Any) -> tuple[str, ...]:
    """timm's configuration -> the published class names; () where timm does not carry them."""
    data: Any = timm.data
    subset = data.infer_imagenet_subset(config.to_dict())
    if subset is None:
        return ()
    info = data.ImageNetInfo(subset)
    return tuple(info.index_to_description(i) for i in range(info.num_classes()))


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def rows_now(held: Mapping[str, bool] | None = None, *, count: bool = False) -> Iterator[NetworkRow]:
    """Every network of the installed libraries as a row, parameters where they are known (`count`: built to count)."""
    held = held or {}
    n: int | None
    for name, plain in PLAIN.items():
        n = parameters(plain.make(plain.classes))
        yield NetworkRow(name, "cutaway", plain.size, n, "", True, plain.note)
    taken = torchvision_names()
    for name in taken:
        weights = torchvision_weights(name)
        note = torchvision_note(weights)
        size = torchvision_contract(weights).size
        n = (_counted(name, "torchvision") or int(weights.meta["num_params"])) if count else None
        yield NetworkRow(name, "torchvision", size, n, weights.name, held.get(name, True), note)
    family = timm_families()
    for name in timm.list_models():
        config = timm_config(name)
        shown = f"timm/{name}" if name in taken else name
        weights_tag = (config.tag or "default") if config.has_weights else ""
        n = _counted(name, "timm") if count else None
        note = f"family {family[name]}"
        yield NetworkRow(shown, "timm", tuple(config.input_size[1:]), n, weights_tag, held.get(shown, True), note)


def timm_families() -> dict[str, str]:
    """Every timm network -> the family (timm's module) it belongs to."""
    return {name: family for family in timm.list_modules() for name in timm.list_models(module=family)}


def families(rows: Iterable[NetworkRow]) -> dict[str, list[NetworkRow]]:
    """Rows -> family ("timm resnet") to its rows, fewest parameters first."""
    of_timm = timm_families()
    found: dict[str, list[NetworkRow]] = {}
    for row in rows:
        network = row.name.rpartition("/")[2]
        if row.library == "torchvision":
            family = torchvision.models.get_model_builder(network).__module__.rpartition(".")[2]
        else:
            family = of_timm[network] if row.library == "timm" else row.name
        found.setdefault(f"{row.library} {family}", []).append(row)
    return {family: sorted(group, key=lambda r: r.parameters or 10**12) for family, group in sorted(found.items())}


def _counted(name: str, library: str) -> int | None:
    """Built without memory ("meta") to count; None where the network cannot be built so."""
    try:
        with torch.device("meta"):
            if library == "timm":
                return parameters(timm_network(name, timm_config(name).num_classes, {}))
            return parameters(torchvision_network(name, 1000, torchvision_contract(torchvision_weights(name)).size, {}))
    except (RuntimeError, NotImplementedError):
        return None
