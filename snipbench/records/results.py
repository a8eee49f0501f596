"""Results of snippets and environments as documents."""

from __future__ import annotations

import json
from dataclasses import asdict

from pydantic import TypeAdapter

from snipbench.domain.task import Environment, SnippetResult
from snipbench.identity import canonical_json, content_hash
from snipbench.records.parameters import parameters_from_text, parameters_to_text
from snipbench.store.port import Document

_RESULT = TypeAdapter(SnippetResult)


def result_to_document(result: SnippetResult) -> Document:
    """The document of a snippet's result at one parameter point."""
    text = parameters_to_text(result.parameters)
    document_id = f"{result.task_id}:{result.experiment}:{result.snippet}:{content_hash(text, length=12)}"
    fields: Document = json.loads(_RESULT.dump_json(result))
    return fields | {"_id": document_id, "parameters": text}


def result_from_document(document: Document) -> SnippetResult:
    """Inverse of :func:`result_to_document`."""
    fields = {key: value for key, value in document.items() if key not in {"_id", "version"}}
    return _RESULT.validate_python(fields | {"parameters": parameters_from_text(document["parameters"])})


def environment_to_document(environment: Environment) -> Document:
    """The document of an environment; facts are text, since their names hold dots."""
    fields = asdict(environment)
    return {
        "_id": environment.environment_id,
        "facts": canonical_json(fields["facts"]),
        "recorded_at": environment.recorded_at,
    }


def environment_from_document(document: Document) -> Environment:
    """Inverse of :func:`environment_to_document`."""
    return Environment(facts=json.loads(document["facts"]), recorded_at=document["recorded_at"])
