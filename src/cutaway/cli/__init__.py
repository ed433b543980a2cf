"""The command line: argv -> options -> verb -> text."""

import sys

try:
    from cutaway.cli.main import main as main
except KeyboardInterrupt:  # Ctrl-C while Typer is read, the first tenth of a second
    sys.stderr.write("Stopped.\n")
    raise SystemExit(130) from None
