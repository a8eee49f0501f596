"""Analyses that an order asks for: requests over measurements."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from snipbench.domain.model import Model, Name


class Metric(StrEnum):
    """A cost of a run that an analysis can be about; the unit is the name's last word."""

    WALL_SECONDS = "wall_seconds"
    CPU_SECONDS = "cpu_seconds"
    MEMORY_PEAK_BYTES = "memory_peak_bytes"
    READ_BYTES = "read_bytes"
    WRITE_BYTES = "write_bytes"


class Classes(Model):
    """Upper bounds of the classes low, medium, high: quantiles (0 to 1) or values in the target's unit."""

    by: Literal["quantile", "value"] = "quantile"
    low: float = 0.33
    medium: float = 0.66
    high: float = 1.0


class Preprocess(Model):
    """What is done to the records before training."""

    drop_failed: bool = True
    outliers: Literal["keep", "drop"] = "keep"


class Search(Model):
    """How far the model search goes."""

    trials: int = Field(default=50, ge=1, le=10_000)


class Budget(Model):
    """What an advisor may spend."""

    tokens: int = Field(ge=1)


class Classify(Model):
    """Learn to predict a snippet's performance class."""

    name: Name
    kind: Literal["classify"]
    target: Metric
    classes: Classes = Classes()
    tasks: tuple[str, ...] = Field(default=("this",), min_length=1)
    experiments: tuple[str, ...] = ()
    """Names of experiments; empty means all."""
    preprocess: Preprocess = Preprocess()
    search: Search = Search()
    export: str | None = Field(default=None, min_length=1)
    """Folder or object-store URL for the CSV of the training table; by default it lies beside the model."""


class Optimize(Model):
    """Have an advisor improve the worst snippets, and verify what it proposes."""

    name: Name
    kind: Literal["optimize"]
    worst: int = Field(default=3, ge=1, le=1000)
    by: Metric = Metric.WALL_SECONDS
    advisor: Literal["rules", "llm", "scripted"] = "rules"
    budget: Budget | None = None
    experiments: tuple[str, ...] = ()
    """Names of experiments; empty means all."""


_FORMS = {"classify": "<Classify>", "optimize": "<Optimize>"}


def _analysis_form(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return _FORMS.get(kind) if isinstance(kind, str) else None


Analysis = Annotated[
    Annotated[Classify, Tag("<Classify>")] | Annotated[Optimize, Tag("<Optimize>")],
    Discriminator(
        _analysis_form,
        custom_error_type="analysis",
        custom_error_message="an analysis is a mapping with kind: classify or optimize",
    ),
]
