"""animate: the sliding window of one channel of one layer, as a moving picture."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = {"RGB": ("red", "green", "blue"), "BGR": ("blue", "green", "red"), "gray": ("grey",)}
ENDINGS = (".gif", ".mp4", ".svg")


@dataclass(frozen=True, slots=True)
class AnimateOptions:
    """Animate a layer's sliding window: input, kernel and products, the output filling cell by cell."""

    model: str
    """Run, its name under runs/, last, or any model file."""
    picture: str
    """A photo, or sample:NAME."""
    layer: str = ""
    """A convolution or pooling layer; default the first convolution."""
    channel: int = -1
    """Output channel, from 0; -1: the one with the largest values on this picture."""
    frames: int = 120
    """Most places the window stops at; larger maps are sampled."""
    seconds: float = 15.0
    """How long one round takes."""
    out: str = ""
    """The file: .gif, .mp4 or .svg; default animate-MODEL.gif in this folder."""

    def __post_init__(self) -> None:
        from cutaway.errors import must_be

        if not 2 <= self.frames <= 2000:
            raise must_be("frames", "2 to 2000", self.frames)
        if not 0 < self.seconds <= 600:
            raise must_be("seconds", "above 0 and at most 600", self.seconds)


@dataclass(frozen=True, slots=True)
class AnimateResult:
    """The file, what it shows, and at how many of the output's places the window stops."""

    model: str
    picture: str
    layer: str
    kind: str
    channel: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    frames: int
    places: int
    seconds: float
    path: Path

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "picture": self.picture,
            "layer": self.layer,
            "kind": self.kind,
            "channel": self.channel,
            "input_shape": list(self.input_shape),
            "output_shape": list(self.output_shape),
            "frames": self.frames,
            "places": self.places,
            "seconds": self.seconds,
            "path": str(self.path),
        }


def _run(options: AnimateOptions) -> Generator[Event, None, AnimateResult]:
    from cutaway.draw.sliding import animation
    from cutaway.engine.prepare import prepare
    from cutaway.engine.trace import trace_steps
    from cutaway.engine.unfold import slide_of, slide_steps
    from cutaway.image.fit import fit_picture
    from cutaway.verbs.find import find_model
    from cutaway.verbs.picture_file import picture_file
    from cutaway.verbs.watch import one_picture

    yield from ()
    path = picture_file(options.out, "animate", options.model, ENDINGS)
    model = find_model(options.model)
    picture = one_picture(options.picture, model)
    fitted = fit_picture(picture, model.contract)  # (H, W, 3)
    layer = options.layer or _first_conv(model.graph)
    x = prepare(fitted[None], model.contract)
    trace = trace_steps(model.graph, x, slide_steps(model.graph, layer))
    channel = options.channel if options.channel != -1 else _liveliest(trace[layer])
    slide = slide_of(model.graph, trace, layer, channel)
    colours = COLOURS[model.contract.channels]
    film = animation(slide, fitted if slide.of_input else None, colours, options.frames, options.seconds)
    places = slide.output.size
    _write(film, path)
    inputs = tuple(int(n) for n in slide.inputs.shape)
    outputs = tuple(int(n) for n in slide.output.shape)
    return AnimateResult(options.model, picture.name, layer, slide.kind, channel, inputs, outputs, len(film.frames),
                         int(places), options.seconds, path)  # fmt: skip


def _first_conv(graph: Any) -> str:
    """Graph -> the first layer that slides a kernel over the picture. Raises BadInput where there is none."""
    from cutaway.errors import BadInput
    from cutaway.graph.names import steps_of

    for name, node in steps_of(graph).items():
        kind = type(graph.get_submodule(str(node.target))).__name__ if node.op == "call_module" else ""
        if "Conv" in kind and "Transpose" not in kind:
            return name
    raise BadInput("This network has no convolution; name a pooling layer with --layer, or open another model.")


def _liveliest(value: Any) -> int:
    """(1, C, ...) -> the channel whose values differ most, which shows the most."""
    flat = value[0].flatten(1) if value.ndim > 2 else value[0][:, None]
    return int(flat.float().std(1, unbiased=False).argmax())


def _write(film: Any, path: Path) -> None:
    from cutaway.draw.film import to_gif, to_mp4, to_svg

    ending = path.suffix.lower()
    if ending == ".svg":
        path.write_text(to_svg(film), encoding="utf-8")
    else:
        path.write_bytes(to_gif(film) if ending == ".gif" else to_mp4(film))


animate = Verb("animate", AnimateOptions, _run)
