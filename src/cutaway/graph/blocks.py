"""Names of steps -> blocks: by module path ("layer1.0.conv1"), or by what flat names share ("block_6_expand")."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import fx, nn

from cutaway.graph.extra import AlwaysDropout, ScaleChannels
from cutaway.graph.names import names_of, steps_of

if TYPE_CHECKING:
    from cutaway.graph.shapes import LayerRow

Path = tuple[str, ...]
MOST_ROWS = 40
"""Rows that a network is first shown with, at most."""
_ENOUGH_ROWS = 15

_FOLLOWS = (
    nn.ReLU | nn.ReLU6 | nn.LeakyReLU | nn.ELU | nn.SELU | nn.GELU | nn.SiLU | nn.Mish | nn.Sigmoid | nn.Tanh
    | nn.Hardswish | nn.Hardsigmoid | nn.Softplus | nn.Dropout | nn.Dropout2d | nn.BatchNorm2d | nn.Identity
    | AlwaysDropout | ScaleChannels
)  # fmt: skip
_PASSES_ON = frozenset({"view", "reshape", "transpose", "permute", "contiguous", "chunk", "getitem", "cat"})
_SIZES = frozenset({"getattr", "size", "dim"})
_FLAT = 3  # arguments of x.view(batch, -1), which ends the blocks
_MOST_WORDS = 20
_LEAST_TOGETHER = 3  # flat names that share their beginning are a block from here on


@dataclass(frozen=True, slots=True)
class Block:
    """Steps that belong together: name, what is inside in running order, shapes in and out (no batch axis), sums.

    `layers`: how many steps there are inside, at any depth. The root block is called "".
    """

    name: str
    children: tuple[Block | LayerRow, ...]
    input_shape: tuple[int, ...]
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    layers: int

    def to_dict(self) -> dict[str, Any]:
        last = self.last.receptive
        return {
            "name": self.name,
            "kind": f"{self.layers} layers",
            "input_shapes": [list(self.input_shape)],
            "shape": list(self.shape),
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "receptive_field": last.to_dict() if last else None,
            "layers": [row.name for row in self.rows],
        }

    @property
    def rows(self) -> Iterator[LayerRow]:
        """Every step inside, in running order of each block."""
        for child in self.children:
            if isinstance(child, Block):
                yield from child.rows
            else:
                yield child

    @property
    def last(self) -> LayerRow:
        """The step that ends it."""
        child = self.children[-1]
        return child.last if isinstance(child, Block) else child


def blocks_of(graph: fx.GraphModule) -> dict[str, Path]:
    """Graph -> step name: names of the blocks it belongs to, the outermost first ("layer1", "layer1.0"); () for none.

    Functions and layers that tracing made of functions have no path of their own: an activation belongs where its
    input was made, a skip connection's sum to the block that it ends, parallel branches' join to what holds them all.
    """
    steps = steps_of(graph)
    named = [name for name, node in steps.items() if not _is_put_in(graph, node)]
    paths = {**{name: _above(name) for name in steps}, **dict(zip(named, flat_paths(named), strict=True))}
    return _Placer(graph, paths).placed()


def _is_put_in(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a step is an edit's, behind the one that it is named after: it must not make blocks by its name."""
    return node.op == "call_module" and isinstance(graph.get_submodule(str(node.target)), ScaleChannels)


def flat_paths(names: Sequence[str]) -> list[Path]:
    """Names in running order -> the names of the blocks of each, the outermost first.

    Dotted names by their dots; flat ones by the beginning they share with their neighbours, as far as it ends in a
    number ("conv2_block1_1_conv" -> conv2, conv2_block1) or three of them share it ("expanded_conv_project").
    """
    paths: list[Path] = []
    for dotted, run in itertools.groupby(names, key=lambda name: "." in name):
        run_ = list(run)
        if dotted:
            paths += [_above(name) for name in run_]
        else:
            paths += _by_beginning([name.split("_", _MOST_WORDS) for name in run_], 0)
    return paths


def _above(name: str) -> Path:
    """ "layer1.0.conv1" -> ("layer1", "layer1.0")."""
    return tuple(itertools.accumulate(name.split(".")[:-1], lambda block, word: f"{block}.{word}"))


def _by_beginning(names: Sequence[Sequence[str]], shared: int) -> list[Path]:
    """Words of flat names that share the first `shared` -> the blocks of each below that."""
    paths: list[Path] = []
    start = 0
    runs = _Runs(names)
    while start < len(names):
        words, end = _beginning(names, start, shared, runs)
        if words:
            block = "_".join(names[start][:words])
            paths += [(block, *path) for path in _by_beginning(names[start:end], words)]
        else:
            paths.append(())
        start = end
    return paths


def _beginning(names: Sequence[Sequence[str]], start: int, shared: int, runs: _Runs) -> tuple[int, int]:
    """The first beginning from `start` that makes a block -> how many words it has, where it ends; (0, start + 1)."""
    for words in range(shared + 1, len(names[start]) + 1):
        end = runs.end(start, words)
        group = names[start:end]
        if len(group) < _LEAST_TOGETHER:
            break
        splits = any(word[:1].isdigit() for n in group for word in n[words:])
        numbered = any(c.isdigit() for c in names[start][words - 1])
        if (start, end) != (0, len(names)) and (numbered or not splits):
            while runs.end(start, words + 1) == end and all(len(n) > words + 1 for n in group):
                words += 1
            return words, end
    return 0, start + 1


class _Runs:
    """Where the names that share their first words with those behind them end; worked out once for each count."""

    def __init__(self, names: Sequence[Sequence[str]]) -> None:
        self._names = names
        self._ends: dict[int, list[int]] = {}

    def end(self, start: int, words: int) -> int:
        if words not in self._ends:
            ends = list(range(1, len(self._names) + 1))
            for at in reversed(range(len(ends) - 1)):
                if list(self._names[at][:words]) == list(self._names[at + 1][:words]):
                    ends[at] = ends[at + 1]
            self._ends[words] = ends
        return self._ends[words][start]


class _Placer:
    """Gives steps without a path the block that their neighbours in the graph belong to."""

    def __init__(self, graph: fx.GraphModule, paths: Mapping[str, Path]) -> None:
        self._graph = graph
        self._names = {node: name for name, node in names_of(graph).items()}
        self._nodes = list(steps_of(graph).values())
        self._paths = {node: paths[self._names[node]] for node in self._nodes}
        self._order = {node: i for i, node in enumerate(self._nodes)}
        self._last_use = self._last_places()
        self._behind = self._reach()
        self._numbers: set[fx.Node] = set()
        for node in self._nodes:  # sizes and what is computed from them
            if _word(node) in _SIZES or (
                node.all_input_nodes and all(n in self._numbers for n in node.all_input_nodes)
            ):
                self._numbers.add(node)

    def placed(self) -> dict[str, Path]:
        for node in self._nodes:
            if not self._paths[node] and (node.op != "call_module" or "." not in str(node.target)):
                self._paths[node] = self._place(node)
        return {self._names[node]: path for node, path in self._paths.items()}

    def _place(self, node: fx.Node) -> Path:
        stored = next((n for n in node.all_input_nodes if n.op == "get_attr" and "." in str(n.target)), None)
        if stored is not None:
            holder = _above(str(stored.target))
            # layer_norm(x, ..., features.0.1.weight) was the layer features.0.1; a block keeps a scale of its own
            return holder[:-1] if str(stored.target).endswith((".weight", ".bias")) else holder
        inputs = [n for n in node.all_input_nodes if n in self._paths and n not in self._numbers]
        if not inputs or not any(self._paths.values()):
            return ()
        latest = max(inputs, key=self._order.__getitem__)
        here = self._paths[latest]
        if len(set(inputs)) == 1:
            before = self._nodes[self._order[node] - 1]
            return (
                here if self._follows(node) else self._beside(node) or _common([self._paths[before], self._next(node)])
            )
        if not any(self._behind[latest] >> self._order[n] & 1 for n in inputs if n is not latest):
            return _common([self._paths[n] for n in inputs])  # parallel branches
        others = [self._paths[n] for n in inputs if n is not latest]
        for depth in range(1, len(here) + 1):
            block = here[:depth]
            ended = self._last_use[block] <= self._order[node]
            if ended and not all(path[:depth] == block for path in others):
                return block
        return _common([here, self._next(node)])

    def _follows(self, node: fx.Node) -> bool:
        """Whether a step only passes on, number by number, what it gets: it then belongs to what made that."""
        if node.op == "call_module":
            return isinstance(self._graph.get_submodule(str(node.target)), _FOLLOWS)
        name = _word(node)
        return name in _PASSES_ON and not (name in ("view", "reshape") and len(node.args) == _FLAT)

    def _beside(self, node: fx.Node) -> Path:
        """The block of the branches that a pool's only user joins it with."""
        user = next(iter(node.users)) if len(node.users) == 1 else None
        others = [self._paths[n] for n in user.all_input_nodes if n in self._paths and n is not node] if user else []
        return _common(others) if others else ()

    def _next(self, node: fx.Node) -> Path:
        return next((self._paths[n] for n in self._nodes[self._order[node] + 1 :] if self._paths[n]), ())

    def _last_places(self) -> dict[Path, int]:
        last: dict[Path, int] = {}
        for node, path in self._paths.items():
            for depth in range(len(path) + 1):
                last[path[:depth]] = self._order[node]
        return last

    def _reach(self) -> dict[fx.Node, int]:
        """Node -> the steps it depends on, one bit each."""
        reach: dict[fx.Node, int] = {}
        for node in self._nodes:
            bits = 0
            for before in node.all_input_nodes:
                if before in self._order:
                    bits |= reach[before] | 1 << self._order[before]
            reach[node] = bits
        return reach


def _word(node: fx.Node) -> str:
    """The function or method that a node calls."""
    return getattr(node.target, "__name__", "") if node.op == "call_function" else str(node.target)


def _common(paths: Sequence[Path]) -> Path:
    shared = itertools.takewhile(lambda words: len(set(words)) == 1, zip(*paths, strict=False))
    return tuple(words[0] for words in shared)


def tree(rows: Sequence[LayerRow]) -> Block:
    """Layer table -> the root block. A block that holds nothing but one block is drawn together with it."""
    return _grown("", 0, rows)


def _grown(name: str, depth: int, rows: Sequence[LayerRow]) -> Block:
    inside: dict[str, list[LayerRow]] = {}
    order: list[str | LayerRow] = []
    for row in rows:
        if len(row.blocks) <= depth:
            order.append(row)
            continue
        block = row.blocks[depth]
        if block not in inside:
            order.append(block)
        inside.setdefault(block, []).append(row)
    if len(order) == 1 and isinstance(order[0], str) and name:
        return _grown(name, depth + 1, rows)
    children: list[Block | LayerRow] = []
    for child in order:
        if isinstance(child, str) and len(inside[child]) > 1:
            children.append(_grown(child, depth + 1, inside[child]))
        else:
            children.append(inside[child][0] if isinstance(child, str) else child)
    return _block(name, children, rows)


def _block(name: str, children: Sequence[Block | LayerRow], rows: Sequence[LayerRow]) -> Block:
    given = rows[0].input_shapes[0] if rows and rows[0].input_shapes else ()
    parameters, work = sum(r.parameters for r in rows), sum(r.multiply_adds for r in rows)
    return Block(name, tuple(children), given, rows[-1].shape if rows else (), parameters, work, len(rows))


def collapsed(root: Block, most: int = MOST_ROWS) -> tuple[Block | LayerRow, ...]:
    """Root block -> at most `most` rows: blocks opened level by level until there is enough to see.

    A flat network with more top-level steps than that is folded into stages of one map size each.
    """
    shown: tuple[Block | LayerRow, ...] = root.children
    if len(shown) > most:
        return _stages(shown, most)
    while True:
        opened = tuple(itertools.chain.from_iterable(c.children if isinstance(c, Block) else (c,) for c in shown))
        if len(opened) > most or len(opened) == len(shown) or len(shown) >= _ENOUGH_ROWS:
            return shown
        shown = opened


def _stages(children: Sequence[Block | LayerRow], most: int) -> tuple[Block | LayerRow, ...]:
    groups = [list(group) for _, group in itertools.groupby(children, key=lambda c: c.shape[1:])]
    while len(groups) > most:  # the two shortest neighbours become one
        at = min(range(len(groups) - 1), key=lambda i: len(groups[i]) + len(groups[i + 1]))
        groups[at : at + 2] = [groups[at] + groups[at + 1]]
    found: list[Block | LayerRow] = []
    for group in groups:
        if len(group) == 1:
            found.append(group[0])
            continue
        rows = [row for child in group for row in (child.rows if isinstance(child, Block) else (child,))]
        found.append(_block(f"{group[0].name} ... {rows[-1].name}", group, rows))
    return tuple(found)


def rows_in(rows: Sequence[LayerRow], block: str) -> tuple[LayerRow, ...]:
    """Layer table, name of a block -> its rows; () where there is none of that name."""
    return tuple(row for row in rows if block in row.blocks)
