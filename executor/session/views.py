"""Temporary views over JDBC; a view is made again only when something about it changed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from pyspark.sql import DataFrame, SparkSession

from executor.calls import PrepareRequest
from executor.session.failing import failure_of
from executor.session.rules import RuleBroken
from snipbench.domain.order import Table

DRIVER = "org.postgresql.Driver"


@dataclass(frozen=True, slots=True)
class View:
    """A view that is there, and the request that it was made for."""

    key: tuple[Any, ...]
    frame: DataFrame
    ddl: str
    cached: bool


class Views:
    """The views of one session, by name."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._views: dict[str, View] = {}

    def ensure(self, request: PrepareRequest) -> tuple[str, ...]:
        """Make the views exactly those that are asked for. Names of those that had to be made or dropped.

        Raises:
            Exception: Spark's or the driver's own; the view is not there then.
        """
        wanted = {table.name: table for table in request.tables}
        changed = [name for name in self._views if name not in wanted]
        for name in changed:
            self._drop(name)
        for name, table in wanted.items():
            key = (request.jdbc_url, request.user, request.password, _url(request), table, request.source)
            if name in self._views and self._views[name].key == key:
                continue
            if name in self._views:
                self._drop(name)
            self._views[name] = self._make(table, request, key)
            changed.append(name)
        self._views = {name: self._views[name] for name in wanted}
        return tuple(changed)

    def read_remotely(self) -> None:
        """Have a row of the first view read where Spark's executors are: making a view is the driver's work alone.

        Raises:
            RuleBroken: ``UnreachableDatabase``.
        """
        if not self._views:
            return
        name, view = next(iter(self._views.items()))
        try:
            view.frame.limit(1).write.format("noop").mode("overwrite").save()
        except Exception as error:
            why = failure_of(error)
            raise RuleBroken(
                "UnreachableDatabase",
                f"the cluster's workers cannot read {name}, which the driver can: {why['kind']}: {why['message']}",
            ) from error

    def forget(self) -> None:
        """Drop all; the next :meth:`ensure` makes them anew."""
        for name in tuple(self._views):
            self._drop(name)

    @property
    def schemas(self) -> tuple[tuple[str, str], ...]:
        """``(view, DDL of its columns)``."""
        return tuple((name, view.ddl) for name, view in self._views.items())

    def _make(self, table: Table, request: PrepareRequest, key: tuple[Any, ...]) -> View:
        options = _options(request) | {"dbtable": _quoted(table.name), "fetchsize": str(table.fetch_size)}
        if table.partition_column is not None and table.partitions > 1:
            options |= self._partitioning(table, request)
        frame = self._spark.read.format("jdbc").options(**options).load()
        frame.createOrReplaceTempView(table.name)
        cached = request.source == "cached"
        if cached:
            frame.cache().write.format("noop").mode("overwrite").save()
        return View(key, frame, frame._jdf.schema().toDDL(), cached)

    def _partitioning(self, table: Table, request: PrepareRequest) -> dict[str, str]:
        """Options that split the table's rows evenly between the column's least and greatest value."""
        column = _quoted(str(table.partition_column))
        text = f"select min({column}) as low, max({column}) as high from {_quoted(table.name)}"
        bounds = self._spark.read.format("jdbc").options(**_options(request), query=text).load().first()
        if bounds is None or bounds["low"] is None:
            return {}  # an empty table: nothing to split
        return {
            "partitionColumn": column,
            "lowerBound": _bound(bounds["low"]),
            "upperBound": _bound(bounds["high"]),
            "numPartitions": str(table.partitions),
        }

    def _drop(self, name: str) -> None:
        view = self._views.pop(name)
        if view.cached:
            view.frame.unpersist(blocking=True)
        self._spark.catalog.dropTempView(name)


def _url(request: PrepareRequest) -> str:
    separator = "&" if "?" in request.jdbc_url else "?"
    url = f"{request.jdbc_url}{separator}ApplicationName={quote(request.application_name)}"
    if request.statement_timeout_seconds is not None:
        # A start-up option instead of Spark's sessionInitStatement: no round trip of its own in the timed part.
        milliseconds = round(request.statement_timeout_seconds * 1000)
        url += f"&options={quote(f'-c statement_timeout={milliseconds}')}"
    return url


def _options(request: PrepareRequest) -> dict[str, str]:
    return {"url": _url(request), "user": request.user, "password": request.password, "driver": DRIVER}


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _bound(value: Any) -> str:
    """Spark takes whole numbers, dates and time stamps as bounds; they only place the cuts, no row is lost."""
    return str(int(value)) if isinstance(value, int | float | Decimal) else str(value)
