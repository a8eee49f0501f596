"""``python -m orchestrator``: the command line, as ``snipbench``."""

from orchestrator.cli import main

main()
