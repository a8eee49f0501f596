"""``python -m orchestrator.archives``: class data archives for the JVMs that are started again and again."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from orchestrator import jars
from snipbench import class_archive
from snipbench.errors import MachineError


def main() -> None:
    """Make those that are missing. Without one sessions start slower: that is told, and no error."""
    landing = [str(jar) for jar in jars.ensure()]
    with ThreadPoolExecutor(2) as pool:
        session = pool.submit(class_archive.make, "session", "executor.session.archiving", [])
        pending = (session, pool.submit(class_archive.make, "landing", "analyzer.landing.archiving", landing))
    for made in pending:
        try:
            made.result()
        except MachineError as error:
            print(f"no class data archive, sessions start slower: {error}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
