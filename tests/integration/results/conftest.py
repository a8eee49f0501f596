"""A real Spark session whose settings are as unlike a result hash's own habits as can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark(start_spark: Callable[..., SparkSession]) -> SparkSession:
    """With a time zone far from UTC."""
    return start_spark(
        "results",
        {
            "spark.sql.session.timeZone": "America/New_York",
            "spark.sql.timeType.enabled": "true",  # off by default in Spark 4.1
        },
    )
