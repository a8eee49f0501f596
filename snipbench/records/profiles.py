"""Profile passes as documents: one per parameter point, its functions within."""

from __future__ import annotations

import json

from pydantic import TypeAdapter

from snipbench.domain.profile import Profile
from snipbench.records.parameters import parameters_from_text, parameters_to_text
from snipbench.store.port import Document

_PROFILE = TypeAdapter(Profile)


def profile_to_document(profile: Profile) -> Document:
    """The document of a profile pass; ``_id`` is ``task:slot``."""
    fields: Document = json.loads(_PROFILE.dump_json(profile))
    text = parameters_to_text(profile.parameters)
    return fields | {"_id": f"{profile.task_id}:{profile.slot_id}", "parameters": text}


def profile_from_document(document: Document) -> Profile:
    """Inverse of :func:`profile_to_document`."""
    fields = {key: value for key, value in document.items() if key not in {"_id", "version"}}
    return _PROFILE.validate_python(fields | {"parameters": parameters_from_text(document["parameters"])})
