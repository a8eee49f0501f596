"""A point of the parameter matrix as text."""

from __future__ import annotations

import json

from snipbench.domain.plan import Parameters
from snipbench.identity import canonical_json


def parameters_to_text(parameters: Parameters) -> str:
    """Canonical JSON object: equal points have equal text."""
    return canonical_json(dict(parameters))


def parameters_from_text(text: str) -> Parameters:
    """Inverse of :func:`parameters_to_text`."""
    return tuple(sorted(json.loads(text).items()))
