"""torchvision's and timm's networks as sources: contracts, published weights, and weights in the layouts they use."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from cutaway.errors import BadInput, BadModel
from cutaway.zoo import heads, libraries
from cutaway.zoo.named import Library
from cutaway.zoo.names import Meant
from cutaway.zoo.sources import Size, Source
from cutaway.zoo.weights import State, fetched, fetched_from_hub


class Torchvision(Source):
    """One classifier of torchvision."""

    library: ClassVar[Library] = "torchvision"

    def __init__(self, meant: Meant) -> None:
        self.network = meant.network
        self.entry = libraries.torchvision_weights(meant.network, meant.tag)
        if self.entry is None:
            tags = ", ".join(libraries.torchvision_tags(meant.network))
            raise BadInput(f"{meant.network} has no published weights {meant.tag!r} in torchvision; it has: {tags}.")
        self.contract = libraries.torchvision_contract(self.entry)
        # These two were trained on (x - 0.5) / 0.5, which torchvision does inside the network, after its usual scaling.
        if meant.network in libraries.AUX_OFF:
            self.contract = dataclasses.replace(self.contract, mean=(0.5,) * 3, std=(0.5,) * 3)

    def make(self, classes: int, size: Size, in_channels: int, knobs: dict[str, Any]) -> nn.Module:
        network = libraries.torchvision_network(self.network, classes, size, knobs)
        return network if in_channels == 3 else heads.for_channels(network, in_channels)

    def knobs(self) -> tuple[str, ...]:
        return ()

    def published_file(self) -> Path:
        return fetched(self.entry.url, self.network)

    def published_classes(self) -> tuple[str, ...]:
        return tuple(self.entry.meta["categories"])

    def loaded(
        self, file: str, state: State, classes: int, size: Size, in_channels: int, knobs: dict[str, Any]
    ) -> nn.Module:
        network = super().loaded(file, _torchvision_names(state), classes, size, 3, knobs)
        return network if in_channels == 3 else heads.for_channels(network, in_channels)

    def card(self, pretrained: bool) -> dict[str, str]:
        known = {"source": f"torchvision {self.network}", "notes": libraries.torchvision_note(self.entry)}
        return {**known, "weights": self.entry.name} if pretrained else {"source": known["source"]}


class Timm(Source):
    """One network of timm."""

    library: ClassVar[Library] = "timm"

    def __init__(self, meant: Meant) -> None:
        self.network = meant.network
        self.config = libraries.timm_config(meant.network, meant.tag)
        if self.config is None:
            tags = ", ".join(libraries.timm_tags(meant.network)) or "none"
            raise BadInput(f"{meant.network} has no published weights {meant.tag!r} in timm; it has: {tags}.")
        self.contract = libraries.timm_contract(self.config)
        self.shown = f"{meant.network}.{self.config.tag}" if self.config.tag else meant.network

    def make(self, classes: int, size: Size, in_channels: int, knobs: dict[str, Any]) -> nn.Module:
        return libraries.timm_network(self.shown, classes, self._settings(size, in_channels, knobs))

    def knobs(self) -> tuple[str, ...]:
        return ()

    def published_file(self) -> Path:
        if self.config.hf_hub_id:
            name = self.config.hf_hub_filename or "model.safetensors"
            return fetched_from_hub(self.config.hf_hub_id, name, self.shown)
        url = self.config.url
        if not url:
            tags = ", ".join(libraries.timm_tags(self.network)) or "none"
            raise BadInput(f"{self.shown} has no published weights; with weights: {tags}.")
        if str(url).endswith((".npz", ".zip")):
            raise BadModel(f"The weights of {self.shown} are published for JAX ({url}) and not as a state_dict.")
        return fetched(str(url), self.shown)

    def published_classes(self) -> tuple[str, ...]:
        return libraries.timm_classes(self.config)

    def loaded(
        self, file: str, state: State, classes: int, size: Size, in_channels: int, knobs: dict[str, Any]
    ) -> nn.Module:
        try:
            return super().loaded(file, state, classes, size, in_channels, knobs)
        except BadModel:
            # another layout that timm knows how to read (older names, other channels or positions), or not its file
            trained_for = int(self.config.num_classes) or classes
            settings = self._settings(size, in_channels, knobs)
            network = libraries.timm_converted(self.shown, state, trained_for, settings)
            if network is None:
                raise
        return network if trained_for == classes else heads.renew_head(network, trained_for, classes)

    def card(self, pretrained: bool) -> dict[str, str]:
        known = {"source": f"timm {self.shown}"}
        if pretrained:
            known |= {"weights": self.config.tag or "published", "licence": self.config.license or ""}
        return known

    def _settings(self, size: Size, in_channels: int, knobs: dict[str, Any]) -> dict[str, Any]:
        settings = {"in_chans": in_channels, **knobs}
        if "dropout" in settings:
            settings["drop_rate"] = settings.pop("dropout")
        if self.config.fixed_input_size and size != self.contract.size:
            settings["img_size"] = size
        return settings


_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def _torchvision_names(state: State) -> State:
    """Weights under torchvision's published names -> under those of its networks, auxiliary heads left out."""
    renamed = type(state)((_OLD_DENSENET.sub(r"\1\2", k), v) for k, v in state.items() if not _auxiliary(k))
    if hasattr(state, "_metadata"):
        renamed._metadata = state._metadata  # type: ignore[attr-defined]
    return renamed


def _auxiliary(key: str) -> bool:
    return key.startswith(("aux1.", "aux2.", "AuxLogits."))
