"""All features of a snippet at one parameter point, from what is known before it runs.

:func:`known_features` takes no measurement: neither runs nor results nor samples reach this module, and
:func:`check_known_before` refuses a feature of any other origin before a model sees it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from analyzer.models.frame_relations import frame_relations
from analyzer.models.python_features import Features, python_features, without_python
from analyzer.models.relations import COUNTS, NOTHING, Relations
from analyzer.models.sizes import estimate
from analyzer.models.sql_relations import sql_relations
from snipbench.domain.order import Experiment, Kind, Snippet
from snipbench.domain.plan import Parameters
from snipbench.domain.table_facts import TableFacts
from snipbench.errors import SnipbenchError

CATEGORIES = ("kind", "source")
"""Features whose values are words."""
SIZE = "data_size_log"
"""The one feature of the rows-only baseline."""
_PREFIXES = ("py_", "rel_", "data_", "param_", "work_")
_ROW_KINDS = frozenset({Kind.PYTHON_UDF, Kind.ARROW_PYTHON_UDF})
_BATCH_KINDS = frozenset({Kind.PANDAS_UDF, Kind.ARROW_UDF})


class LeakError(SnipbenchError):
    """Something reached a model that it must not know: a measurement, or a template on both sides of a split."""


def known_features(
    experiment: Experiment, snippet: Snippet, parameters: Parameters, facts: Sequence[TableFacts] | None
) -> Features:
    """Features of one snippet at one parameter point.

    Args:
        experiment: where it stands; gives source and partitions.
        snippet: resolved.
        parameters: the point.
        facts: tables of the reference database, taken before the first run; ``None`` where they are not known, which
            leaves the sizes ``None``.
    """
    python = without_python() if snippet.kind is Kind.SQL else python_features(snippet.code)
    relations = _relations(snippet, frozenset(name for name, _ in parameters))
    counts: Features = dict.fromkeys(COUNTS) if relations is None else dict(relations.counts)
    numbers = [
        abs(float(value)) for _, value in parameters if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    features: Features = {
        "kind": snippet.kind.value,
        "source": experiment.source,
        "param_count": float(len(parameters)),
        "param_log_max": _log(max(numbers)) if numbers else None,
        "param_log_sum": _log(sum(numbers)) if numbers else None,
        **python,
        **counts,
        **_data(experiment, relations, parameters, facts, max(numbers, default=None)),
    }
    features |= _work(snippet.kind, features)
    check_known_before(features)
    return features


def check_known_before(names: Iterable[str]) -> None:
    """Let only features pass that are made from code, parameters and tables.

    Raises:
        LeakError: one has another origin, such as a measure of the run.
    """
    strange = sorted(name for name in names if name not in CATEGORIES and not name.startswith(_PREFIXES))
    if strange:
        raise LeakError(f"not known before a run, so no feature: {', '.join(strange)}")


def _relations(snippet: Snippet, parameters: frozenset[str]) -> Relations | None:
    if snippet.kind is Kind.SQL:
        return sql_relations(snippet.code)
    if snippet.kind is Kind.DATAFRAME:
        return frame_relations(snippet.code, parameters)
    return NOTHING if snippet.input is None else sql_relations(snippet.input)


def _data(
    experiment: Experiment,
    relations: Relations | None,
    parameters: Parameters,
    facts: Sequence[TableFacts] | None,
    largest: float | None,
) -> Features:
    sizes = estimate(relations or NOTHING, parameters, facts)
    read = set() if relations is None else set(relations.tables)
    partitions = [table.partitions for table in experiment.tables if table.name.lower() in read]
    size = next((found for found in (sizes.input_rows, sizes.table_rows, largest) if found is not None), None)
    return {
        "data_table_rows_log": _log(sizes.table_rows),
        "data_largest_table_rows_log": _log(sizes.largest_table_rows),
        "data_row_width_bytes": None if sizes.row_width_bytes is None else float(sizes.row_width_bytes),
        "data_input_rows_log": _log(sizes.input_rows),
        "data_input_bytes_log": _log(sizes.input_bytes),
        "data_partitions": float(max(partitions)) if partitions else None,
        SIZE: _log(size),
    }


def _work(kind: Kind, features: Features) -> Features:
    """Products that a cost is likely to follow: rows that pass Python one by one, loops over the size."""
    rows, size = features["data_input_rows_log"], features[SIZE]
    loops = features["py_loop_depth"]
    loop = loops * size if isinstance(loops, float) and isinstance(size, float) else None
    return {
        "work_python_rows_log": rows if kind in _ROW_KINDS else 0.0,
        "work_batch_rows_log": rows if kind in _BATCH_KINDS else 0.0,
        "work_loop_log": loop if kind is Kind.FUNCTION else 0.0,
    }


def _log(value: float | None) -> float | None:
    """Decimal logarithm of ``1 + value``: zero stays zero."""
    return None if value is None else math.log10(1.0 + value)
