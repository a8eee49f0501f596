"""``python -m snipbench.profiling FOLDER SCRIPT [ARGUMENT…]``: run a script as Python would, every function profiled.

Profiled are the functions that the script itself defines. Calls go to FOLDER, for
:func:`~snipbench.profiling.read_directory`.
"""

from __future__ import annotations

import io
import sys
import traceback
from pathlib import Path
from types import ModuleType

from snipbench.profiling import DirectorySink, configure
from snipbench.profiling.instrument import instrumented


def main() -> None:
    """Become the script: its arguments, its place on the path, its ``__main__``."""
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder, script, *arguments = sys.argv[1:]
    with io.open_code(str(Path(script).resolve())) as file:
        source = file.read()
    try:
        code, names = instrumented(source, script)
    except SyntaxError as error:
        traceback.print_exception(error, limit=0)  # the script's lines alone, as Python does
        sys.exit(1)
    module = ModuleType("__main__")
    module.__dict__.update(names | {"__file__": script, "__builtins__": __builtins__})
    sys.modules["__main__"] = module
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).resolve().parent)
    configure(sink=DirectorySink(folder))
    exec(code, module.__dict__)


if __name__ == "__main__":
    main()
