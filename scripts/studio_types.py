"""What the studio's server and the drawings' colours are in Python -> the files its page is typed and coloured by.

web/openapi.json        every address and message, from the routes and pydantic models
web/src/lib/api.gen.ts  the same as TypeScript, made by openapi-typescript (needs `npm ci` in web/)
web/src/lib/theme.gen.css, lut.gen.ts, chart.gen.css  the palettes of draw/svg.py, the colour scales of
                        draw/colours.py, the look of its drawings

Run it after a change of any of these, as `.venv/bin/python scripts/studio_types.py`: tests/studio/test_types.py fails
until then.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hatch_build import npm  # noqa: E402  (the project's folder is not on the path of a script)

WEB = ROOT / "web"
OPENAPI = WEB / "openapi.json"
TYPES = WEB / "src" / "lib" / "api.gen.ts"
GENERATOR = WEB / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
OPTIONS = ("--root-types", "--root-types-no-schema-prefix", "--root-types-keep-casing", "--default-non-nullable=false",
           "--alphabetize")  # fmt: skip
_REF = "#/components/schemas/{model}"


def main() -> None:
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
    if (reason := missing()) is not None:
        sys.exit(f"{TYPES.relative_to(ROOT)} was not renewed: {reason}.")
    TYPES.write_text(typescript(OPENAPI), encoding="utf-8")


def texts() -> dict[Path, str]:
    """() -> the files that Python alone makes, with what they must hold."""
    return {
        OPENAPI: json.dumps(openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n",
        WEB / "src" / "lib" / "theme.gen.css": theme(),
        WEB / "src" / "lib" / "lut.gen.ts": scales(),
        WEB / "src" / "lib" / "chart.gen.css": charts(),
    }


def missing() -> str | None:
    """() -> what `typescript` needs and does not find; None where all is there."""
    if not GENERATOR.is_file():
        return "openapi-typescript is not installed; .venv/bin/python scripts/web_tests.py brings the page's tools"
    return None if npm() else "there is no Node that could run openapi-typescript"


def typescript(schema: Path) -> str:
    """openapi.json -> its types. Raises CalledProcessError where the generator refuses it."""
    command = ["node", str(GENERATOR), str(schema), *OPTIONS]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=WEB).stdout


def openapi() -> dict[str, Any]:
    """() -> the studio's OpenAPI document, messages of its socket included, without what changes from day to day."""
    from cutaway.studio.app import create

    document = create().openapi()
    document["info"]["version"] = "1"
    for address, methods in document["paths"].items():
        for method, operation in methods.items():
            operation["operationId"] = method + re.sub(r"\W+", "_", address.removeprefix("/api")).rstrip("_")
            operation["responses"].pop("422", None)  # `app._misasked` answers with the same Told as any refusal
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for name, schema in messages().items():
        if schemas.setdefault(name, schema) != schema:
            sys.exit(f"{name} is one thing over HTTP and another over the socket; give them two names.")
    _complete(document)
    return document


def _complete(document: dict[str, Any]) -> None:
    """What only the server sends always holds all its fields; what the page sends may lack those with a default."""
    schemas = document["components"]["schemas"]
    bodies = [m.get("requestBody") for methods in document["paths"].values() for m in methods.values()]
    asked = _named(bodies, schemas) | _named([schemas[n] for n in schemas if n.endswith("Request")], schemas)
    for name, schema in schemas.items():
        if name not in asked and not name.endswith("Request") and "properties" in schema:
            schema["required"] = sorted(schema["properties"])


def _named(part: Any, schemas: dict[str, Any]) -> set[str]:
    """Any part of the document -> names of all schemas that it refers to, directly or through others."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        refs = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(waiting.pop())))
        waiting += [schemas[name] for name in refs - found]
        found |= refs
    return found


def messages() -> dict[str, Any]:
    """() -> schemas of the socket's messages: what the page sends (..Request) as it may, the others as they come."""
    from pydantic.json_schema import models_json_schema

    from cutaway.studio.schemas.live import WS_MODELS
    from cutaway.studio.schemas.map import MAP_MODELS
    from cutaway.studio.schemas.unfold import HEADS

    sent = (*WS_MODELS, *MAP_MODELS, *HEADS)
    kinds = [(m, "validation" if m.__name__.endswith("Request") else "serialization") for m in sent]
    found: dict[str, Any] = models_json_schema(kinds, ref_template=_REF)[1]["$defs"]  # type: ignore[arg-type]
    return found


def theme() -> str:
    """() -> CSS variables of both palettes: the reader's choice before the system's."""
    from cutaway.draw.svg import DARK, LIGHT

    def block(selector: str, palette: dict[str, str]) -> str:
        return f"{selector} {{\n" + "".join(f"  --{name}: {colour};\n" for name, colour in palette.items()) + "}\n"

    dark = block(":root:not([data-theme=light])", DARK)
    return (
        "/* Made by scripts/studio_types.py from draw/svg.py. */\n"
        f"{block(':root', LIGHT)}{block(':root[data-theme=dark]', DARK)}"
        f"@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
    )


def charts() -> str:
    """() -> how the drawings of draw/ look: SVG that Python drew looks on the page as it does in a report."""
    from cutaway.draw.svg import asset

    return f"/* Made by scripts/studio_types.py from draw/templates/chart.css. */\n{asset('chart.css').strip()}\n"


def scales() -> str:
    """() -> the colour scales as TypeScript: 0xRRGGBB for each step."""
    from cutaway.draw.colours import NOT_FINITE, diverging, sequential

    return (
        "// Made by scripts/studio_types.py from draw/colours.py: 0xRRGGBB for each step.\n"
        f"{_table('SEQUENTIAL', '0 to the largest value', sequential())}"
        f"{_table('DIVERGING', 'the largest value below zero, zero in the middle, the largest above', diverging())}"
        f"/** What is no number. */\nexport const NOT_FINITE = {_hex(np.array(NOT_FINITE))};\n"
    )


def _table(name: str, says: str, colours: NDArray[np.uint8]) -> str:
    words = [_hex(colour) for colour in colours]
    lines = ["  " + ", ".join(words[i : i + 12]) + ",\n" for i in range(0, len(words), 12)]
    return f"/** Colours of {says}. */\nexport const {name}: readonly number[] = [\n{''.join(lines)}];\n"


def _hex(colour: NDArray[Any]) -> str:
    red, green, blue = colour.tolist()
    return f"0x{red:02x}{green:02x}{blue:02x}"


if __name__ == "__main__":
    main()
