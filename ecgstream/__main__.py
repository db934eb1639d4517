"""``python -m ecgstream``: the command line."""

from ecgstream.cli import main

main()
