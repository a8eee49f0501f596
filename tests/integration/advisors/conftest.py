"""A small real Spark session in which rewrites are tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def advised_spark(start_spark: Callable[..., SparkSession]) -> SparkSession:
    """With nothing else set."""
    return start_spark("advisors")
