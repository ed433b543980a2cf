"""Graph -> which known network it is, with which head, and where it departs from it: from its structure alone.

The body is looked up by its skeleton (skeleton.py). The same body: that network. The same but for widths: that family
at another width. Else the known network that shares most layers, and the list of what differs.
"""

from __future__ import annotations

import collections
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import torch
from torch import fx

from cutaway.zoo.known import Known, nearest, same_body, same_form
from cutaway.zoo.named import NetworkRow
from cutaway.zoo.names import meaning, rows
from cutaway.zoo.skeleton import Bone, Skeleton, skeleton_of, skeleton_of_plain

_TRIED = 12
_NEAR = 0.5  # share of layers in common below which a name would only mislead
How = Literal["same", "width", "near", "unknown"]


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a network is.

    `how`: "same" (every layer of the body), "width" (all but their widths), "near" (`share` of the layers in common),
    "unknown". `width`: channels as a multiple of `network`'s. `hidden`: units of dense layers before the classifier.
    `others`: names of networks with the very same body. `last`: our last layer that still sees places.
    """

    how: How
    network: str
    title: str
    share: float
    width: float
    size: tuple[int, int]
    classes: int
    hidden: tuple[int, ...]
    last: str
    departures: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """ "MobileNetV2 0.35 at 224 px up to out_relu, then 100 hidden units and 3 classes"."""
        return f"{self._what} at {_px(self.size)} up to {self.last or 'its last layer'}, then {self._head}"

    @property
    def _what(self) -> str:
        if self.how == "same":
            return self.title
        if self.how == "width":
            return f"{self.title} with {self.width:.2f} times its channels"
        if self.how == "near":
            return f"near {self.title} ({100 * self.share:.0f} % of its layers)"
        return f"a network of its own (nearest: {self.title}, {100 * self.share:.0f} % of its layers)"

    @property
    def _head(self) -> str:
        units = " and ".join(f"{n:,}" for n in self.hidden)
        named = "1 yes-or-no answer" if self.classes == 1 else f"{self.classes:,} classes"
        classes = named if self.classes else "no classes"
        return f"{units} hidden units and {classes}" if units else classes

    def to_dict(self) -> dict[str, Any]:
        names = (
            "how",
            "network",
            "title",
            "share",
            "width",
            "size",
            "classes",
            "hidden",
            "last",
            "departures",
            "others",
        )
        return {"sentence": self.sentence, **{name: getattr(self, name) for name in names}}


def recognise_graph(graph: fx.GraphModule, input_shape: tuple[int, int, int]) -> Recognition:
    """Graph, (C, H, W) -> Recognition; weights are not looked at. Raises BadModel where the graph cannot work on it."""
    ours = skeleton_of(graph, input_shape)
    how, best, theirs, share = _found(ours)
    others = tuple(k.name for k in same_body(ours) if k.name != best.name) if how == "same" else ()
    departures: list[str] = []
    if how == "width":
        departures += _widths(ours, theirs)
    if how == "near":
        departures += _layers(ours, theirs)
    if how != "unknown":
        departures += _around(ours, theirs)
    return Recognition(
        how,
        best.name,
        title(best.name),
        share,
        _width(ours, theirs) if how == "width" else 1.0,
        (input_shape[1], input_shape[2]),
        ours.classes,
        ours.hidden,
        ours.last,
        tuple(departures),
        others,
    )


def _found(ours: Skeleton) -> tuple[How, Known, Skeleton, float]:
    """Skeleton -> how it was found, the network, that network's skeleton, the share of layers in common."""
    if same := same_body(ours):
        return "same", same[0], reference(_row(same[0])), 1.0
    if wide := same_form(ours):
        return "width", wide[0], reference(_row(wide[0])), 1.0
    share, best, theirs = _closest(ours)
    return ("near" if share >= _NEAR else "unknown"), best, theirs, share


def reference(row: NetworkRow) -> Skeleton:
    """A network of the list -> its skeleton, made without memory ("meta") where the library can, and run once."""
    from cutaway.zoo.sources import source_of

    source = source_of(meaning(row.name))
    channels, size = source.contract.in_channels, source.contract.size
    classes = 10 if row.library == "cutaway" else 1000
    try:
        with torch.device("meta"):
            return skeleton_of_plain(source.make(classes, size, channels, {}), (channels, *size))
    except (NotImplementedError, RuntimeError):  # some look at the values of their own fresh weights
        return skeleton_of_plain(source.make(classes, size, channels, {}), (channels, *size))


def title(name: str) -> str:
    """A network's name -> as its paper writes it, where that is known: "mobilenetv2_035" -> "MobileNetV2 0.35"."""
    bare = name.rpartition("/")[2]
    for pattern, written in _TITLES:
        if found := re.fullmatch(pattern, bare):
            return found.expand(written) if "\\" in written else written
    if found := re.fullmatch(r"(?:tf_)?mobilenet_?v([1-4])(?:_(small|large))?_(\d)(\d\d)", bare):
        size = f"-{found[2]}" if found[2] else ""
        return f"MobileNetV{found[1]}{size} {int(found[3])}.{found[4]}"
    return bare


_TITLES = (
    (r"mobilenet_v([23])", r"MobileNetV\1"),
    (r"mobilenet_v3_(small|large)", r"MobileNetV3-\1"),
    (r"resnet(\d+)", r"ResNet-\1"),
    (r"wide_resnet(\d+)_2", r"Wide ResNet-\1-2"),
    (r"resnext(\d+)_(.*)", r"ResNeXt-\1 \2"),
    (r"vgg(\d+)", r"VGG-\1"),
    (r"vgg(\d+)_bn", r"VGG-\1 with batch norm"),
    (r"densenet(\d+)", r"DenseNet-\1"),
    (r"(?:tf_)?efficientnet_b(\d)", r"EfficientNet-B\1"),
    (r"squeezenet1_([01])", r"SqueezeNet 1.\1"),
    (r"alexnet", "AlexNet"),
    (r"googlenet", "GoogLeNet"),
    (r"inception_v(\d)", r"Inception v\1"),
    (r"lenet5", "LeNet-5"),
    (r"convnext_(tiny|small|base|large)", r"ConvNeXt-\1"),
    (r"(?:legacy_)?xception", "Xception"),
    (r"tutorial-cifar", "the CIFAR-10 tutorial's CNN"),
    (r"tutorial-cats-dogs", "the cats-and-dogs tutorial's CNN"),
    (r"tutorial-cifar-bn", "the CIFAR-10 CNN with batch norm"),
)


def _row(known: Known) -> NetworkRow:
    return next(row for row in rows() if row.name == known.name)


def _width(ours: Skeleton, theirs: Skeleton) -> float:
    pairs = zip(ours.body, theirs.body, strict=False)
    ratios = [a.step[1] / b.step[1] for a, b in pairs if a.form == b.form]
    return median(ratios) if ratios else 1.0


def _closest(ours: Skeleton) -> tuple[float, Known, Skeleton]:
    """The known network with the largest share of layers in common (Jaccard index of the two bags of layers)."""
    best: tuple[float, Known, Skeleton] | None = None
    for candidate in nearest(ours, _TRIED):
        theirs = reference(_row(candidate))
        share = _shared(ours, theirs)
        if best is None or share > best[0]:
            best = share, candidate, theirs
    assert best is not None
    return best


def _shared(ours: Skeleton, theirs: Skeleton) -> float:
    a, b = (collections.Counter(bone.step for bone in s.body) for s in (ours, theirs))
    return (a & b).total() / max(1, (a | b).total())


def _around(ours: Skeleton, theirs: Skeleton) -> Iterator[str]:
    """What departs besides the body's kernels: normalisation, activations, the head."""
    if theirs.norms and not ours.norms:
        yield f"no normalisation layers where it has {theirs.norms}: they are folded into the kernels, or were left out"
    elif ours.norms and not theirs.norms:
        yield f"{ours.norms} normalisation layers where it has none"
    a, b = dict(ours.activations), dict(theirs.activations)
    if a and b and max(a, key=a.__getitem__) != max(b, key=b.__getitem__):
        yield f"{max(a, key=a.__getitem__)} where it has {max(b, key=b.__getitem__)}"
    if ours.hidden != theirs.hidden:
        yield f"head: {_units(ours)} where it has {_units(theirs)}"


def _units(skeleton: Skeleton) -> str:
    return " and ".join(f"{n:,}" for n in skeleton.hidden) + " hidden units" if skeleton.hidden else "no hidden units"


def _widths(ours: Skeleton, theirs: Skeleton) -> Iterator[str]:
    a, b = ((s.body[0].step[1], s.body[-1].step[1]) for s in (ours, theirs))
    yield (f"{a[0]:,} channels after the first layer and {a[1]:,} after the last, where it has {b[0]:,} and {b[1]:,}")


_SHOWN = 12


def _layers(ours: Skeleton, theirs: Skeleton) -> Iterator[str]:
    """Layers aligned in running order -> a sentence for each stretch that differs."""
    a, b = ours.body, theirs.body
    matcher = difflib.SequenceMatcher(None, [x.step for x in a], [x.step for x in b], autojunk=False)
    changes = [c for c in matcher.get_opcodes() if c[0] != "equal"]
    for tag, i, j, k, m in changes[:_SHOWN]:
        if tag == "replace" and j - i == m - k:
            yield from (f"{x.name}: {_said(x)} where it has {_said(y)}" for x, y in zip(a[i:j], b[k:m], strict=True))
        elif tag == "delete":
            yield f"{_span(a[i:j])}: not in it"
        elif tag == "insert":
            after = f"after {a[i - 1].name}" if i else "at the beginning"
            these = ", ".join(_said(x) for x in b[k:m][:2]) + (", …" if m - k > 2 else "")
            yield f"{after}: lacks {m - k} of its layers ({these})"
        else:
            yield f"{_span(a[i:j])}: {j - i} layers where it has {m - k}"
    if len(changes) > _SHOWN:
        yield f"and {len(changes) - _SHOWN} more places"


def _span(bones: tuple[Bone, ...]) -> str:
    return bones[0].name if len(bones) == 1 else f"{bones[0].name} to {bones[-1].name}"


def _said(bone: Bone) -> str:
    inner, outer, height, width, stride, groups = bone.step
    kind = "depthwise " if groups > 1 and groups == inner else f"{groups} groups, " if groups > 1 else ""
    steps = f", stride {stride}" if stride > 1 else ""
    return f"{kind}{height} x {width}, {inner:,} to {outer:,}{steps}"


def _px(size: tuple[int, int]) -> str:
    return f"{size[0]} px" if size[0] == size[1] else f"{size[0]} x {size[1]} px"
