"""Base of the parts of an order, and the types of names in it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Scalar = bool | int | float | str
"""A single value."""


def _scalar_form(value: Any) -> str | None:
    """Exactly which scalar a value is, so that a value that is none is one mistake and not four."""
    return f"<{type(value).__name__}>" if isinstance(value, bool | int | float | str) else None


ScalarValue = Annotated[
    Annotated[bool, Tag("<bool>")]
    | Annotated[int, Tag("<int>")]
    | Annotated[float, Tag("<float>")]
    | Annotated[str, Tag("<str>")],
    Discriminator(_scalar_form, custom_error_type="scalar", custom_error_message="no single value"),
]
"""A :data:`Scalar` as a field of a model."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
"""A name in an order: a letter, then letters, digits, ``_`` or ``-``."""
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
"""A Python or SQL identifier."""


class Model(BaseModel):
    """Immutable, no unknown keys. Validate JSON text strictly: ``Order.model_validate_json(text, strict=True)``."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)
