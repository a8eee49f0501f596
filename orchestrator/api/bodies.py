"""The body of ``POST /orders``: an order as YAML, as JSON, or as a link to where it lies."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.api.problems import Problem
from orchestrator.orders.document import MAX_BYTES, MAX_DEPTH

YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
JSON_TYPE = "application/json"
MAX_FILES = 500
EXAMPLE = """\
name: add-one
databases:
  shop: {dataset: {generator: tpch, scale: 0.01}}
experiments:
  - name: sums
    database: shop
    tables: [lineitem]
    snippets:
      - {name: total, kind: sql, code: select sum(l_quantity) from lineitem}
"""
"""An order that is valid as it stands."""


class HttpLink(BaseModel):
    """An order behind HTTP(S). Files that it names are fetched from beside it."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["http"]
    url: str = Field(min_length=8, max_length=2000, examples=["https://files.example.org/orders/quickstart.yaml"])
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """Checksum of the order's file; another content is refused."""


class GitLabLink(BaseModel):
    """An order in a GitLab project. Files that it names are fetched from the same commit."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["gitlab"]
    project: str = Field(min_length=1, max_length=500, examples=["data/experiments"])
    path: str = Field(min_length=1, max_length=1000, examples=["orders/quickstart.yaml"])
    ref: str = Field(default="HEAD", min_length=1, max_length=250)


class Submission(BaseModel):
    """A submission as JSON: one of ``order`` and ``link``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"order": EXAMPLE, "files": {}},
                {"link": {"kind": "gitlab", "project": "data/experiments", "path": "order.yaml", "ref": "main"}},
            ]
        },
    )

    order: str | dict[str, Any] | None = None
    """The order file's text, or the order itself as an object."""
    link: HttpLink | GitLabLink | None = Field(default=None, discriminator="kind")
    file_name: str = Field(default="order.yaml", min_length=1, max_length=500)
    """The order file's name, for messages."""
    files: dict[str, str] = Field(default_factory=dict, max_length=MAX_FILES)
    """Texts of the files that the order names, by the name it gives them."""
    warmups: int | None = None
    repetitions: int | None = None
    seed: int | None = None
    callback_url: str | None = Field(default=None, min_length=8, max_length=2000)
    """Where to tell the end of every stage; signed."""

    def overrides(self) -> dict[str, int | None]:
        """What takes the place of the file's values."""
        return {"warmups": self.warmups, "repetitions": self.repetitions, "seed": self.seed}

    def text(self) -> str:
        """The order's text; an object becomes JSON, which is YAML.

        Raises:
            Problem: the object is no order: too long, or too deep to be indented.
        """
        if isinstance(self.order, str):
            return self.order
        # Indented, every value would have a line of its own, as far to the right as it is deep: looked at before.
        if _depth(self.order) > MAX_DEPTH:
            raise Problem(422, "request", f"order: values are nested too deeply; at most {MAX_DEPTH} levels")
        if len(json.dumps(self.order, ensure_ascii=False)) > MAX_BYTES:
            raise Problem(422, "request", f"order: an order has at most {MAX_BYTES} bytes")
        return json.dumps(self.order, indent=2, ensure_ascii=False)


def read_submission(content_type: str, body: bytes, query: dict[str, str]) -> Submission:
    """A submission from a request; the query holds what has no place in a YAML body.

    Raises:
        Problem: it is none.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in YAML_TYPES:
        return _validated({"order": _text(body), **_numbers(query)})
    if kind != JSON_TYPE:
        raise Problem(415, "media-type", f"send an order as {YAML_TYPES[0]} or {JSON_TYPE}, not {kind or 'nothing'!r}")
    try:
        document = json.loads(_text(body))
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise Problem(400, "json", f"the body is not JSON: {reason}") from None
    if not isinstance(document, dict):
        raise Problem(422, "request", 'the body is an object: {"order": …} or {"link": …}')
    clash = sorted(document.keys() & query.keys())
    if clash:
        raise Problem(422, "request", f"{clash[0]} stands in the body and in the query")
    submission = _validated({**document, **_numbers(query)})
    if (submission.order is None) == (submission.link is None):
        raise Problem(422, "request", "the body holds one of order and link")
    if submission.link is not None and submission.files:
        raise Problem(422, "request", "a link's files are fetched from beside it; files goes with order only")
    return submission


def _validated(document: dict[str, Any]) -> Submission:
    try:
        return Submission.model_validate(document)
    except ValidationError as error:
        texts = [f"{'.'.join(str(step) for step in one['loc'])}: {one['msg']}" for one in error.errors()[:20]]
        raise Problem(422, "request", "; ".join(texts)) from None


def _numbers(query: dict[str, str]) -> dict[str, Any]:
    unknown = sorted(query.keys() - {"warmups", "repetitions", "seed", "callback_url", "file_name"})
    if unknown:
        raise Problem(422, "request", f"there is no parameter {unknown[0]!r}")
    return dict(query)


def _depth(value: Any) -> int:
    """How deep an object is nested; one that is too deep is not looked at to its bottom."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        inner = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [one for values in inner for one in values]
    return depth


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(400, "encoding", f"the body is not UTF-8 (byte {error.start})") from None
