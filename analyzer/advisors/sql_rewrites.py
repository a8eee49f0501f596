"""Rules for SQL: rewrites that keep the result, on sqlglot's tree."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterator
from typing import Any

from analyzer.advisors.port import Brief, Potential
from analyzer.advisors.proposal import Proposal
from snipbench.domain.order import Kind

Change = Callable[[Any, Brief], str | None]
"""Changes a tree in place; says what it did, ``None`` for nothing."""


def sql_forms(brief: Brief) -> Iterator[Proposal]:
    """All rewrites that apply, made one after the other in one statement; and what only a person can decide."""
    if brief.kind is not Kind.SQL:
        return
    tree = _parsed(brief.code)
    if tree is None:
        return
    yield from _words(tree)
    done = [text for text in (change(tree, brief) for change in _CHANGES) if text is not None]
    if done:
        yield Proposal(
            "sql-form", " ".join(done), Potential.MED, tree.sql(dialect="spark", pretty=True) + "\n", Kind.SQL
        )


def _parsed(code: str) -> Any | None:
    import sqlglot
    from sqlglot.errors import SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        return sqlglot.parse_one(code.strip().rstrip(";"), dialect="spark")
    except (SqlglotError, RecursionError):
        return None


def _words(tree: Any) -> Iterator[Proposal]:
    from sqlglot import exp

    if any(isinstance(count.this, exp.Distinct) for count in tree.find_all(exp.Count)):
        yield Proposal(
            "count-distinct",
            "count(distinct …) shuffles every value; where an error of a few percent is allowed,"
            " approx_count_distinct does not.",
            Potential.LOW,
        )
    if any(isinstance(select, exp.Select) and select.is_star for select in tree.find_all(exp.Select)):
        yield Proposal(
            "star", "select * fetches every column over JDBC; name the columns that are needed.", Potential.LOW
        )
    if any(str(like.expression.this).startswith("%") for like in tree.find_all(exp.Like)):
        yield Proposal("leading-wildcard", "like '%…' reads and tests every row; no index can help.", Potential.LOW)


def _redundant_distinct(tree: Any, _: Brief) -> str | None:
    """DISTINCT over a grouping whose keys are all selected, and DISTINCT in what only asks for membership."""
    from sqlglot import exp

    found = False
    for select in list(tree.find_all(exp.Select)):
        distinct = select.args.get("distinct")
        # A generator such as explode() makes several rows of one group.
        if distinct is None or distinct.args.get("on") is not None or select.find(exp.UDTF) is not None:
            continue
        if _keys_selected(select) or (_is_membership(select) and not _is_cut(select)):
            select.set("distinct", None)
            found = True
    return "DISTINCT does nothing here and costs a shuffle." if found else None


def _keys_selected(select: Any) -> bool:
    group = select.args.get("group")
    if group is None or {name for name, value in group.args.items() if value} - {"expressions"}:
        return False
    selected = {column.unalias().sql() for column in select.expressions}
    keys = [key.sql() for key in group.expressions]
    # A key may be a position or an alias; only plain columns that are selected under their own name are sure.
    from sqlglot import exp

    return bool(keys) and all(isinstance(key, exp.Column) for key in group.expressions) and set(keys) <= selected


def _is_membership(select: Any) -> bool:
    """Whether the query stands in IN (…) or EXISTS (…)."""
    from sqlglot import exp

    parent = select.parent
    if isinstance(parent, exp.In):
        return parent.args.get("query") is select
    if isinstance(parent, exp.Subquery):
        return isinstance(parent.parent, exp.In) and parent.parent.args.get("query") is parent
    return isinstance(parent, exp.Exists)


def _is_cut(select: Any) -> bool:
    return any(select.args.get(part) is not None for part in ("limit", "offset", "fetch"))


def _order_in_membership(tree: Any, _: Brief) -> str | None:
    """ORDER BY in a subquery that only asks for membership."""
    from sqlglot import exp

    found = False
    for select in list(tree.find_all(exp.Select)):
        if select.args.get("order") is not None and _is_membership(select) and not _is_cut(select):
            select.set("order", None)
            found = True
    return "ORDER BY in a subquery that is only asked for membership does nothing." if found else None


def _union_in_membership(tree: Any, _: Brief) -> str | None:
    """UNION where duplicates make no difference: in membership, or under UNION's own DISTINCT."""
    from sqlglot import exp

    found = False
    for union in list(tree.find_all(exp.Union)):
        if union.args.get("distinct") and _is_membership(union) and not _is_cut(union):
            union.set("distinct", False)
            found = True
    return "UNION ALL suffices where only membership is asked for." if found else None


def _not_in(tree: Any, _: Brief) -> str | None:
    """``x not in (select y …)`` in WHERE, as anti joins that mean the same even where x or y is NULL."""
    from sqlglot import exp

    found = False
    for negation in list(tree.find_all(exp.Not)):
        inside = negation.this
        if not isinstance(inside, exp.In) or not isinstance(negation.parent, exp.Where | exp.And):
            continue
        if not _only_conjunctions(negation) or not isinstance(inside.this, exp.Column):
            continue
        query = inside.args.get("query")
        query = query.this if isinstance(query, exp.Subquery) else query
        if not _is_simple(query) or (inside.this.table == "" and len(list(_tables(negation))) != 1):
            continue
        replacement = _anti_joins(negation, inside.this, query)
        if replacement is not None:
            negation.replace(replacement)
            found = True
    return (
        "NOT IN is a join that must look at every NULL; NOT EXISTS with the NULLs tested apart means the same."
        if found
        else None
    )


def _only_conjunctions(node: Any) -> bool:
    from sqlglot import exp

    parent = node.parent
    while isinstance(parent, exp.And | exp.Paren):
        parent = parent.parent
    return isinstance(parent, exp.Where)


def _tables(node: Any) -> Iterator[Any]:
    from sqlglot import exp

    select = node.find_ancestor(exp.Select)
    source = select.args.get("from_") or select.args.get("from")
    if source is not None:
        yield source.this
    yield from (join.this for join in select.args.get("joins") or [])


def _is_simple(query: Any) -> bool:
    """A select of one column from one plain table, with no more than a condition."""
    from sqlglot import exp

    if not isinstance(query, exp.Select) or len(query.expressions) != 1:
        return False
    if not isinstance(query.expressions[0], exp.Column):
        return False
    extra = {name for name, value in query.args.items() if value} - {"expressions", "from", "from_", "where", "kind"}
    source = query.args.get("from_") or query.args.get("from")
    plain = source is not None and isinstance(source.this, exp.Table)
    where = query.args.get("where")
    return plain and not extra and (where is None or where.find(exp.Select) is None)


def _anti_joins(negation: Any, outer: Any, query: Any) -> Any | None:
    from sqlglot import exp

    sources = list(_tables(negation))
    owner = outer.table or sources[0].alias_or_name
    inner_source = (query.args.get("from_") or query.args.get("from")).this
    if not isinstance(sources[0], exp.Table) or owner.lower() == inner_source.alias_or_name.lower():
        return None
    # Columns of the subquery are put behind its own table's name, so that none of them means the outer table's.
    inner = query.copy()
    for column in inner.find_all(exp.Column):
        if column.table == "":
            column.set("table", exp.to_identifier(inner_source.alias_or_name))
    qualified = exp.column(outer.this.copy(), table=owner)
    key = inner.expressions[0].copy()
    inner.set("expressions", [exp.Literal.number(1)])

    def missing(condition: Any | None) -> Any:
        found = inner.copy() if condition is None else inner.copy().where(condition, dialect="spark")
        return exp.Not(this=exp.Exists(this=found))

    parts = [
        missing(exp.EQ(this=key.copy(), expression=qualified.copy())),
        missing(exp.Is(this=key.copy(), expression=exp.Null())),
        exp.paren(exp.or_(exp.Not(this=exp.Is(this=qualified.copy(), expression=exp.Null())), missing(None))),
    ]
    return exp.paren(exp.and_(*parts))


def _year_of_column(tree: Any, brief: Brief) -> str | None:
    """``year(d) = 1994`` of a date column as a range, which PostgreSQL can test before it sends the rows."""
    from sqlglot import exp

    types = [(name.lower(), type_name.lower()) for shape in brief.tables for name, type_name in shape.columns]
    dates = {name for name, type_name in types if type_name == "date"}
    dates -= {name for name, type_name in types if type_name != "date"}
    found = False
    for equal in list(tree.find_all(exp.EQ)):
        year, value = equal.this, equal.expression
        column: Any = year.this if isinstance(year, exp.Year) else None
        if isinstance(column, exp.TsOrDsToDate):
            column = column.this
        if not isinstance(column, exp.Column) or column.name.lower() not in dates:
            continue
        if not (isinstance(value, exp.Literal) and value.is_int and 1 <= int(value.this) < 9999):
            continue
        low, high = (
            exp.cast(exp.Literal.string(datetime.date(int(value.this) + later, 1, 1).isoformat()), "date")
            for later in (0, 1)
        )
        since = exp.GTE(this=column.copy(), expression=low)
        before = exp.LT(this=column.copy(), expression=high)
        equal.replace(exp.paren(exp.and_(since, before)))
        found = True
    return "A range of dates instead of year(…) is filtered in the database." if found else None


_CHANGES: tuple[Change, ...] = (
    _redundant_distinct,
    _order_in_membership,
    _union_in_membership,
    _not_in,
    _year_of_column,
)
