"""Patient: a model's copy while it is operated on. Layers and the graph are shared with the original until one is to be
changed."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from cutaway.errors import BadInput
from cutaway.graph.build import add_submodule, safe_name, shell
from cutaway.graph.lazy import lazy_module, put_layer, sharing_module
from cutaway.graph.names import names_of, step_named
from cutaway.image import InputContract
from cutaway.model import Model

if TYPE_CHECKING:
    from cutaway.surgery.edit import Edit

_BARE = nn.Module()


class Patient:
    """Graph, contract, classes and card of the model to be; the edits' operations change them through these methods.

    `untrained`: layers whose weights no longer fit what they get (`heal` trains them). `notes`: sentences about what
    had to be adapted besides what was asked. `changed`: steps whose layer or inputs are others than the original's.
    `done`: the edits so far.
    """

    def __init__(self, model: Model) -> None:
        self.original = model
        self.graph = sharing_module(model.graph)
        self.contract: InputContract = model.contract
        self.classes = model.classes
        self.probabilities = model.probabilities
        self.temperature = model.temperature
        self.untrained: dict[str, str] = {}
        self.notes: list[str] = []
        self.changed: set[str] = set()
        self.done: list[Any] = []
        self._own: set[str] = set()
        self._own_blocks: set[str] = set()
        self._owns_graph = False

    # -- looking

    def node(self, name: str) -> fx.Node:
        """Name -> its node. Raises BadInput with the nearest names."""
        return step_named(self.graph, name)

    def name(self, node: fx.Node) -> str:
        return next(name for name, known in names_of(self.graph).items() if known is node)

    def layer(self, name: str) -> nn.Module:
        """Name -> its layer, to look at only. Raises BadInput where the step is a function or the input."""
        node = self.node(name)
        if node.op != "call_module":
            what = {"placeholder": "the input", "get_attr": "stored numbers"}.get(node.op, "a function")
            raise BadInput(f"{name} is {what}, not a layer with settings; name a layer.")
        return self.graph.get_submodule(str(node.target))

    # -- changing

    def undergo(self, edit: Edit) -> None:
        """Makes the edit. One that may change shapes gets a graph that is the patient's own before it begins.

        Raises BadInput where the edit does not fit.
        """
        if edit.structural:
            self.own_graph()
        edit.operate(self)

    def own_graph(self) -> None:
        """From now on the graph is the patient's own copy: nodes that were looked up before are the original's."""
        if not self._owns_graph:
            self.graph = lazy_module(self.graph, copy.deepcopy(self.graph.graph)).eval()
            self._owns_graph = True

    def own(self, name: str) -> Any:
        """Name -> its layer as a copy of the patient's own, free to be changed; its tensors are shared until replaced.

        A layer that serves several steps is copied for this one only.
        """
        layer = self.layer(name)
        self.changed.add(name)
        path = self._alone(name)
        if path in self._own:
            return layer
        fresh = twin(layer)
        put_layer(self.graph, path, fresh, self._own_blocks)
        self._own.add(path)
        return fresh

    def _alone(self, name: str) -> str:
        """Name -> its layer's path, which no other step uses from now on; every step keeps its name (graph.names)."""
        path = str(self.node(name).target)
        if len([n for n in self.graph.graph.nodes if n.op == "call_module" and n.target == path]) == 1:
            return path
        self.own_graph()
        node = self.node(name)
        first, *others = [n for n in self.graph.graph.nodes if n.op == "call_module" and n.target == path]
        apart = self._free(node.name if node is not first else others[0].name)
        add_submodule(self.graph, apart, self.graph.get_submodule(path))
        for moved in [node] if node is not first else others:
            moved.target = apart
        self._own -= {path, apart}  # whichever of the two it is now, its layer is the others' too
        return str(node.target)

    def put(self, name: str, layer: nn.Module) -> None:
        """Name, new layer -> it takes the place of the step's layer, or of a function of one value (same name, same
        inputs).
        """
        node = self.node(name)
        if node.op in ("call_function", "call_method") and len(node.all_input_nodes) == 1:
            self._in_place_of(name, layer)
            return
        at = list(self.graph.graph.nodes).index(self.node(name))
        self.own(name)  # which may give the step another name, and its name to another
        node = list(self.graph.graph.nodes)[at]
        put_layer(self.graph, str(node.target), layer.eval(), self._own_blocks)

    def _in_place_of(self, name: str, layer: nn.Module) -> None:
        """A function -> a layer of the function's name."""
        self.own_graph()
        node = self.node(name)
        path, (before,) = self._free(node.name), node.all_input_nodes
        add_submodule(self.graph, path, layer.eval())
        self._own.add(path)
        with self.graph.graph.inserting_after(node):
            fresh = self.graph.graph.call_module(path, (before,))
        node.replace_all_uses_with(fresh)
        self.graph.graph.erase_node(node)
        self.changed.add(path)

    def insert_after(self, name: str, new: str, layer: nn.Module, reader: str = "") -> fx.Node:
        """A layer under the name `new` that gets what `name` gives; all that read `name` read it instead, or only the
        step `reader`.
        """
        self.own_graph()
        node, only = self.node(name), self.node(reader) if reader else None
        path = self._free(safe_name(new), names_of(self.graph))
        add_submodule(self.graph, path, layer.eval())
        self._own.add(path)
        with self.graph.graph.inserting_after(node):
            fresh = self.graph.graph.call_module(path, (node,))
        node.replace_all_uses_with(fresh, delete_user_cb=lambda user: user is only if only else user is not fresh)
        self.changed |= {self.name(fresh), *(self.name(u) for u in fresh.users if u.op != "output")}
        return fresh

    def bypass(self, name: str, instead: str) -> None:
        """All that read `name` read `instead`; what nobody reads any more is taken out."""
        self.own_graph()
        node, other = self.node(name), self.node(instead)
        self.changed |= {self.name(user) for user in node.users if user.op != "output"}
        node.replace_all_uses_with(other, delete_user_cb=lambda user: user is not other)
        named = names_of(self.graph)
        self.graph.graph.eliminate_dead_code()
        self._keep_names(named)

    def _keep_names(self, named: dict[str, fx.Node]) -> None:
        """Of a layer that served several steps the first is gone: the others keep the names they had."""
        now = {node: name for name, node in names_of(self.graph).items()}
        for name, node in named.items():
            if node.op == "call_module" and now.get(node, name) != name:
                add_submodule(self.graph, name, self.graph.get_submodule(str(node.target)))
                node.target = name
                now = {node: name for name, node in names_of(self.graph).items()}

    def set_weight(self, name: str, tensor: torch.Tensor, which: str = "weight") -> None:
        """Replaces one tensor of a layer (kept as parameter or buffer, as it was)."""
        layer = self.own(name)
        if which in layer._parameters:
            old = layer._parameters[which]
            learns = old is None or old.requires_grad
            layer._parameters[which] = nn.Parameter(tensor.detach(), requires_grad=learns)
        else:
            layer._buffers[which] = tensor.detach()

    def _free(self, path: str, others: Iterable[str] = ()) -> str:
        taken = {name for name, _ in self.graph.named_modules()} | set(others)
        *parents, last = path.split(".")
        above = "".join(f"{part}_." if hasattr(_BARE, part) else f"{part}." for part in parents)  # "train", "half"
        unique, n = last, 2
        while above + unique in taken or hasattr(self.graph, above + unique) or hasattr(_BARE, unique):
            unique, n = f"{last}_{n}", n + 1  # a GraphModule has a `graph`, a `code`, ...
        return above + unique

    def copied(self) -> Patient:
        """-> another in the same state; what is done to either is not seen by the other."""
        fresh = copy.copy(self)
        fresh.graph = sharing_module(self.graph)
        fresh._owns_graph = self._owns_graph = False
        fresh.untrained, fresh.notes, fresh.changed = dict(self.untrained), list(self.notes), set(self.changed)
        fresh.done = list(self.done)
        fresh._own, self._own, fresh._own_blocks, self._own_blocks = set(), set(), set(), set()  # shared from now on
        return fresh

    # -- ending

    def model(self, card: dict[str, str]) -> Model:
        """-> the Model it has become."""
        if self._owns_graph:
            self.graph.delete_all_unused_submodules()
            self.graph.graph.lint()
            self.graph.recompile()
        return dataclasses.replace(
            self.original,
            graph=self.graph.eval() if self._owns_graph else self.graph,
            contract=self.contract,
            classes=self.classes,
            probabilities=self.probabilities,
            temperature=self.temperature,
            card={**self.original.card, **card},
        )


def twin(layer: nn.Module) -> nn.Module:
    """Layer -> another with the same settings and the very same tensors; replacing one's does not touch the other's."""
    fresh = shell(layer)
    fresh.__dict__["_modules"] = {k: twin(m) if m is not None else None for k, m in layer._modules.items()}
    return fresh
