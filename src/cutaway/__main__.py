"""python -m cutaway = cutaway."""

from cutaway.cli import main

main()
