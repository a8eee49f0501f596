"""``python -m orchestrator.jars``: resolve the jars into the cache."""

import sys

from orchestrator.jars import main

sys.exit(main())
