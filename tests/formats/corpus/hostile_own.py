"""Hostile files in Cutaway's own format: the graph is data, and every name and value in it is a stranger's."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.formats.corpus.files import CANARY, Case, Files, one, safetensors
from tests.formats.corpus.hostile_keras import BAD_NAMES
from tests.formats.corpus.seeds import own_bytes

_HEAVY = {
    "10,001 steps",
    "9,000 steps",
    "10,001 layers",
    "400,000 values joined",
    "20,000 values joined 20 times",
    "other answers ([1.0, 1.0, 1)",
    "JSON a million deep",
}
Change = Callable[[dict[str, Any]], Any]


def cases() -> Iterator[Case]:
    data = own_bytes()
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]

    def case(name: str, says: str, change: Change) -> Case:
        def made() -> Files:
            said = json.loads(header["__metadata__"]["cutaway"])
            said = change(said) or said
            text = said if isinstance(said, str) else json.dumps(said)
            return one("m.safetensors", safetensors({**header, "__metadata__": {"cutaway": text}}, body))

        return Case(f"own file: {name}", made, says, name in _HEAVY)

    def step(name: str, says: str, *rows: dict[str, Any], last: str = "", classes: int = 2) -> Case:
        """Rows put between the network's last step and its output, and as many class names as that then has."""

        def change(said: dict[str, Any]) -> None:
            nodes = said["graph"]["nodes"]
            end = nodes[-2]["name"]
            made = json.loads(json.dumps(rows).replace('"END"', json.dumps(end)))
            nodes[-1:-1] = made
            nodes[-1]["args"] = [{"node": last or made[-1]["name"]}]
            said["classes"] = [str(n) for n in range(classes)]  # short: a header holds 20 million letters

        return case(name, says, change)

    yield from _code(step)
    yield from _names(case, step)
    yield from _large(case, step)
    yield from _damaged(case)


def call(target: str, *args: Any, name: str = "evil", op: str = "call_function", **kwargs: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "target": target, "args": list(args), **({"kwargs": kwargs} if kwargs else {})}


END = {"node": "END"}


def _code(step: Callable[..., Case]) -> Iterator[Case]:
    for target in ("eval", "exec", "os.system", "open", "__import__", "torch.load", "print", "", "builtins.eval"):
        yield step(f"a call of {target!r}", "not on Cutaway's list|damaged", call(target, f"open({CANARY!r}, 'w')"))
    for target in (
        "__class__",
        "backward",
        "register_hook",
        "numpy",
        "__reduce__",
        "data_ptr",
        "share_memory_",
        "apply_",
    ):
        yield step(f"the method {target}", "not on Cutaway's list", call(target, END, op="call_method"))
        yield step(f"the attribute {target}", "only sizes can be read", call("getattr", END, target))
    yield step("an attribute with a default", "only sizes", call("getattr", END, "shape", END))
    yield step("an attribute by keyword", "only sizes", call("getattr", END, name="x", default=1))
    yield step("a kind of step that there is not", "does not exist", call("x", op="call_import"))
    for path in ("__class__", "forward", "training", "_modules", "conv.weight", "dense.forward", "state_dict"):
        yield step(f"the attribute {path} as numbers", "not among its constants|damaged", call(path, op="get_attr"))
        yield step(
            f"the attribute {path} as a layer", "not among its layers|damaged", call(path, END, op="call_module")
        )
    code = f"0); open({CANARY!r}, 'w'); ("
    yield step("code as a text argument", "cannot work|damaged|takes", call("softmax", END, code))
    yield step("code as the name of an argument", "only letters", call("softmax", END, **{code: 1}))
    yield step("code as the name of a step", "only letters", call("neg", END, name=code))


def _names(case: Callable[..., Case], step: Callable[..., Case]) -> Iterator[Case]:
    for name in BAD_NAMES:
        says = "" if name.isidentifier() or name == "0" else "only letters"
        yield step(f"a step called {name!a}", says, call("neg", END, name=name))
        yield case(f"a class called {name!a}", "", lambda said, n=name: said.update(classes=[n, "dog"]))
        yield case(f"a note of {name!a}", "", lambda said, n=name: said.update(card={n: n}))

        def layer(said: dict[str, Any], n: str = name) -> None:
            said["graph"]["layers"][n] = {"kind": "ReLU", "settings": {"dict": {}}}
            said["graph"]["nodes"][-1:-1] = [
                call(n, {"node": said["graph"]["nodes"][-2]["name"]}, op="call_module", name="r")
            ]

        yield (
            case(f"a layer called {name!a}", "", layer)
            if name in ("0", "self")
            else case(f"a layer called {name!a}", "only letters|damaged|word of Python", layer)
        )
    for path in ("a" + ".b" * 100, "a" + ".b" * 2_000, "conv.weight.x", "forward.x", "_parameters", "__dict__.x"):

        def below(said: dict[str, Any], p: str = path) -> None:
            said["graph"]["layers"][p] = {"kind": "ReLU", "settings": {"dict": {}}}

        yield case(
            f"a layer at {path[:20]} of {len(path)} letters", "" if len(path) == 201 else "damaged|letters", below
        )


def _large(case: Callable[..., Case], step: Callable[..., Case]) -> Iterator[Case]:
    giant, too = 10**11, "cannot work on what it gets"
    yield step("10^11 zeros", too, call("zeros", giant))
    yield step("10^11 numbers in a row", too, call("arange", giant))
    yield step("repeated 10^11 times", too, call("repeat", END, giant, 1, op="call_method"))
    yield step("tiled 10^11 times", too, call("tile", END, {"tuple": [giant, 1]}))
    yield step("padded by 10^11", too, call("pad", END, {"tuple": [giant, giant]}))
    yield step("10^9 new zeros", too, call("new_zeros", END, {"tuple": [10**9]}, op="call_method"))
    yield step("every number 10^9 times", too, call("repeat_interleave", END, 10**9, op="call_method"))
    yield step("spread to 10^9", too, call("broadcast_to", END, {"tuple": [10**9, 1, 2]}))
    doubled = [call("cat", [{"node": f"d{n - 1}"} if n else END] * 2, 1, name=f"d{n}") for n in range(50)]
    yield step("joined with itself 50 times", too, *doubled)
    yield step("400,000 values joined", "", call("cat", [END] * 400_000, 1), classes=800_000)
    yield step(
        "20,000 values joined 20 times",
        "",
        *[call("cat", [END] * 20_000, 1, name=f"w{n}") for n in range(20)],
        classes=40_000,
    )
    outer = [
        call("transpose", END, 0, 1, name="t"),
        call("arange", 30_000, name="r"),
        call("unsqueeze", {"node": "r"}, 1, name="u"),
    ]
    outer += [call("mul", {"node": "r"}, {"node": "u"}, name="o"), call("mul", {"node": "t"}, {"node": "t"}, name="q")]
    yield step("an outer product of 30,000", too, *outer, last="o")
    yield step("10^8 pieces", too, call("arange", 10**8, name="r"), call("split", {"node": "r"}, 1, name="s"))
    yield step("unbound into 10^8 pieces", too, call("arange", 10**8, name="r"), call("unbind", {"node": "r"}))
    yield step(
        "a method's 10^8 pieces",
        too,
        call("arange", 10**8, name="r"),
        call("chunk", {"node": "r"}, 10**8, op="call_method"),
    )
    yield step("a text of 10^10 letters", "no number", call("mod", "%9999999999d", 1))
    yield step("a list repeated 10^10 times", "no number|cannot work", call("mul", [0], 10**10))
    shape = [
        call("getattr", END, "shape", name="s0"),
        call("getitem", {"node": "s0"}, 1, name="s1"),
        call("add", {"node": "s1"}, 7, name="p0"),
    ]
    power = [call("mul", {"node": f"p{n}"}, {"node": f"p{n}"}, name=f"p{n + 1}") for n in range(60)]
    yield step("a number of 10^17 digits", "no size can be", *shape, *power)
    lists = [
        call(
            "add",
            {"node": f"l{n}"} if n else {"tuple": [1]},
            {"node": f"l{n}"} if n else {"tuple": [1]},
            name=f"l{n + 1}",
        )
        for n in range(50)
    ]
    yield step("a list of 10^15 places", too + "|no number", *lists)
    for kind, settings in {
        "Upsample": {
            "size": None,
            "scale_factor": 1e6,
            "mode": "nearest",
            "align_corners": None,
            "recompute_scale_factor": None,
        },
        "ZeroPad2d": {"padding": {"tuple": [10**6] * 4}},
        "LocalResponseNorm": {"size": 10**9, "alpha": 1.0, "beta": 1.0, "k": 1.0},
        "AdaptiveAvgPool2d": {"output_size": 10**6},
        "PixelShuffle": {"upscale_factor": 10**6},
        "SamePool2d": {"kernel_size": {"tuple": [10**6, 10**6]}, "stride": {"tuple": [1, 1]}},
        "ChannelShuffle": {"groups": 0},
        "AvgPool2d": {
            "kernel_size": 1,
            "stride": 0,
            "padding": 0,
            "ceil_mode": False,
            "count_include_pad": True,
            "divisor_override": None,
        },
        "MaxPool2d": {"kernel_size": -1, "stride": 1, "padding": 0, "dilation": 1, "ceil_mode": False},
    }.items():

        def put(said: dict[str, Any], k: str = kind, s: dict[str, Any] = settings) -> None:
            said["graph"]["layers"]["big"] = {"kind": k, "settings": {"dict": s}}
            said["graph"]["nodes"][1:1] = [
                call("big", {"node": said["graph"]["nodes"][0]["name"]}, op="call_module", name="big")
            ]
            said["graph"]["nodes"][2]["args"] = [{"node": "big"}]

        yield case(f"{kind} of giant or no size", too + "|cannot be built|damaged|gets|cannot work", put)

    def wide(said: dict[str, Any]) -> None:
        said["graph"]["layers"]["conv"]["settings"]["dict"].update(
            in_channels=10**9, out_channels=10**9, kernel_size={"tuple": [10**4, 10**4]}
        )

    yield case("a kernel of 10^26 weights", "asks for|cannot be built", wide)
    for size in ([16_384, 16_384], [16_384, 3_000]):
        yield case(f"pictures of {size}", too, lambda said, s=size: said["contract"].update(size=s))

    def long(count: int) -> Change:
        def change(said: dict[str, Any]) -> None:
            nodes = said["graph"]["nodes"]
            names = [nodes[-2]["name"], *(f"n{i}" for i in range(count))]
            nodes[-1:-1] = [call("neg", {"node": a}, name=b) for a, b in itertools.pairwise(names)]
            nodes[-1]["args"] = [{"node": names[-1]}]

        return change

    yield case("10,001 steps", "at most", long(10_001))
    yield case("9,000 steps", "", long(9_000))
    many = {f"l{n}": {"kind": "Identity", "settings": {"dict": {}}} for n in range(10_001)}
    yield case("10,001 layers", "at most|layers", lambda said: said["graph"]["layers"].update(many))


def _damaged(case: Callable[..., Case]) -> Iterator[Case]:
    yield case("JSON a million deep", "readable", lambda _: "[" * 1_000_000)
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    yield case("an argument 500 deep", "nested", lambda said: said["graph"]["nodes"][1].update(args=[deep]))
    for key in ("graph", "shared", "contract", "classes", "card", "temperature", "format"):
        for value in (None, [], {}, "x", 5, float("nan"), [None]):

            def put(said: dict[str, Any], k: str = key, v: Any = value) -> None:
                said[k] = v

            opens = (key, str(value)) in {
                ("shared", "{}"),
                ("card", "{}"),
                ("classes", "[]"),
                ("classes", "{}"),
                ("temperature", "5"),
            }
            yield case(f"{key} is {value!r}", "" if opens else "m.safetensors", put)
    for golden in ([float("nan")], [1.0] * 10**6, [1e308, 1e308], ["x"], "x"):
        yield case(
            f"other answers ({str(golden)[:12]})",
            "m.safetensors",
            lambda said, g=golden: said.update(golden=copy.copy(g)),
        )

    def loop(said: dict[str, Any]) -> None:
        nodes = said["graph"]["nodes"]
        nodes[1]["args"] = [{"node": nodes[-2]["name"]}]

    yield case("a step that reads a later one", "damaged", loop)
    yield case(
        "two inputs",
        "cannot work",
        lambda said: said["graph"]["nodes"].insert(1, call("y", op="placeholder", name="y")),
    )
    yield case("a step twice", "", lambda said: said["graph"]["nodes"].insert(1, said["graph"]["nodes"][1]))
    yield case("two outputs", "outputs", lambda said: said["graph"]["nodes"].append(said["graph"]["nodes"][-1]))
    yield case(
        "a list as the output",
        "no tensor",
        lambda said: said["graph"]["nodes"][-1].update(args=[[said["graph"]["nodes"][-1]["args"][0]] * 2]),
    )
