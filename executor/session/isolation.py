"""What a snippet could leave behind in the session, read before and after it (design, rule 7)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from executor.session.rules import RuleBroken


@dataclass(frozen=True, slots=True)
class State:
    """The session's state that outlives a snippet. Views as text with attribute ids, so that a replaced view shows."""

    conf: dict[str, str]
    cached_plans: int
    persistent_rdds: str
    views: str
    functions: str
    catalog: str
    tables: str


class StateReader:
    """Reads the state of one session; keeps the Java objects, so that a reading takes about 3 ms."""

    def __init__(self, spark: SparkSession, mapper: Any) -> None:
        self._context = spark.sparkContext._jsc.sc()
        shared = spark._jsparkSession.sharedState()
        state = spark._jsparkSession.sessionState()
        self._cache = shared.cacheManager()
        self._external = shared.externalCatalog()
        self._global_views = shared.globalTempViewManager()
        self._conf = state.conf()
        self._catalog = state.catalog()
        self._catalogs = state.catalogManager()
        self._mapper = mapper

    def read(self) -> State:
        """The state now."""
        return State(
            conf=json.loads(self._mapper.writeValueAsString(self._conf.getAllConfs())),
            cached_plans=self._cache.numCachedEntries(),
            persistent_rdds=self._context.getPersistentRDDs().keySet().mkString(","),
            views=self._catalog.tempViews().mkString("\n")
            + self._global_views.listViewNames("*").mkString("\nglobal: ", ", ", ""),
            functions=self._catalog.listTemporaryFunctions().mkString(", "),
            catalog=f"{self._catalogs.currentCatalog().name()}.{'.'.join(self._catalogs.currentNamespace())}",
            tables=self._external.listDatabases().mkString(", ")
            + self._external.listTables("default").mkString(": ", ", ", ""),
        )


def check(before: State, after: State) -> None:
    """RuleBroken if the snippet left anything behind; the kind names what, the message says which."""
    if after.conf != before.conf:
        names = sorted(name for name in {*before.conf, *after.conf} if before.conf.get(name) != after.conf.get(name))
        changes = ", ".join(f"{name}: {before.conf.get(name)!r} -> {after.conf.get(name)!r}" for name in names)
        raise RuleBroken("ChangedSettings", f"the snippet changed Spark settings: {changes}")
    if (after.cached_plans, after.persistent_rdds) != (before.cached_plans, before.persistent_rdds):
        raise RuleBroken(
            "LeftCachedView",
            f"the snippet changed what is cached: {before.cached_plans} cached plans -> {after.cached_plans}, "
            f"persistent RDDs [{before.persistent_rdds}] -> [{after.persistent_rdds}]; unpersist what it caches",
        )
    for kind, what, old, new in (
        ("ChangedViews", "temporary views", before.views, after.views),
        ("LeftFunction", "registered functions", before.functions, after.functions),
        ("ChangedCatalog", "the current catalog or database", before.catalog, after.catalog),
        ("LeftTable", "the session catalog's tables", before.tables, after.tables),
    ):
        if old != new:
            raise RuleBroken(kind, f"the snippet changed {what}: {_shortened(old)!r} -> {_shortened(new)!r}")


def _shortened(text: str) -> str:
    return text if len(text) <= 500 else text[:500] + "…"
