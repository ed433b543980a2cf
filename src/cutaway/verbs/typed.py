"""Options of a verb -> the command line that asks for them, whichever door they came through."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any


def typed_command(verb: str, options: Any) -> str:
    """Verb's name, its options dataclass -> `cutaway VERB PLACED... --flag value`, flags that differ from the default.

    Fields without a default stand in their place without a flag; of a tuple each value has its flag.
    """
    words = ["cutaway", verb]
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        flag = "--" + field.name.replace("_", "-")
        if field.default is dataclasses.MISSING:
            words.append(str(value))
        elif value == field.default:
            continue
        elif isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        else:
            for one in value if isinstance(value, tuple) else (value,):
                words += [flag, str(one)]
    return shlex.join(words)
