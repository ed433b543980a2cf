"""The command line: argv -> options -> verb -> text."""

from cutaway.cli.main import main as main
