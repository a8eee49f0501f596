"""The copies of the data on which candidates are compared: what they hold, and that the original stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from analyzer.proof.planning import DataCopy
from orchestrator.databases.embedded import EmbeddedProvider
from orchestrator.databases.port import ReferenceDatabase
from orchestrator.proving.copies import DataCopies
from orchestrator.proving.relations import read_relations
from snipbench.domain.order import Database, SqlFile

pytestmark = pytest.mark.postgres

SCRIPT = """
create table shops (id integer primary key, name varchar(12) not null, opened date);
insert into shops select g, 'shop ' || g, date '2020-01-01' + g from generate_series(1, 300) g;
create table lines (line bigint primary key, shop integer not null references shops (id), amount numeric(8,2),
  units integer, weight double precision, word text, flag boolean, at timestamp, code char(3) check (code <> 'bad'));
insert into lines select g, 1 + g % 300, g / 7.0, g % 50, g / 3.0, 'word ' || g % 40, g % 2 = 0,
  timestamp '2021-03-04 05:06:07' + g * interval '1 hour', 'abc' from generate_series(1, 9000) g;
create table loose (a integer, b text);
insert into loose select g % 10, 'x' || g from generate_series(1, 500) g;
create view wide as select l.line, s.name from lines l join shops s on s.id = l.shop;
"""
TABLES = ("lines", "shops", "loose", "wide")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReferenceDatabase]:
    folder = tmp_path_factory.mktemp("copies")
    (folder / "data.sql").write_text(SCRIPT)
    provider = EmbeddedProvider(folder)
    order = Database(name="shop", dataset=SqlFile(sql="data.sql"))
    served = provider.clone(provider.prepare(order, folder), order, owner="task-copies")
    yield served
    provider.release(served.clone_id)


@pytest.fixture(scope="module")
def copies(clone: ReferenceDatabase) -> DataCopies:
    return DataCopies(clone.admin, clone.run, TABLES, seed=7)


def seen(clone: ReferenceDatabase, query: str) -> Any:
    """What the snippets' role gets to see."""
    with psycopg.connect(**clone.run.parameters, autocommit=True) as session:
        return session.execute(query.encode()).fetchone()


def test_tables_that_refer_to_others_come_first_with_what_the_database_guarantees(clone: ReferenceDatabase) -> None:
    with psycopg.connect(**clone.admin.parameters, autocommit=True) as session:
        relations = read_relations(session, ("shops", "lines", "wide"))
    by_name = {relation.name: relation for relation in relations}
    assert [relation.name for relation in relations].index("lines") < [r.name for r in relations].index("shops")
    assert by_name["lines"].references == (("shop", "shops", "id"),)
    assert by_name["wide"].is_view
    columns = {column.name: column for column in by_name["lines"].columns}
    assert (columns["line"].key, columns["line"].nullable) == (True, False)
    assert (columns["shop"].linked, columns["amount"].nullable, columns["code"].length) == (True, True, 3)


def test_the_second_copy_has_half_of_the_rows_and_keeps_together_what_belongs_together(
    clone: ReferenceDatabase, copies: DataCopies
) -> None:
    copies.show(DataCopy.SECOND)
    (lines,) = seen(clone, "select count(*) from lines")
    assert 4_000 < lines < 5_000
    assert seen(clone, "select count(*) from lines join shops on shops.id = shop") == (lines,)
    assert seen(clone, "select count(*) from wide")[0] > 0


def test_the_mutated_copy_is_hard_within_the_constraints(clone: ReferenceDatabase, copies: DataCopies) -> None:
    copies.show(DataCopy.MUTATED)
    nulls = "count(*) filter (where amount is null), count(*) filter (where word is null)"
    assert all(count > 50 for count in seen(clone, f"select {nulls} from lines"))
    (rows, distinct) = seen(clone, "select count(*), count(distinct line) from lines")
    assert rows == distinct > 2_000, "keys stay unique, and there are further ones"
    assert seen(clone, "select count(*), count(distinct id) from shops where id > 300")[0] > 20
    assert seen(clone, "select count(*) from lines where line > 9000")[0] > 100
    assert seen(clone, "select count(*) - count(distinct (a, b)) from loose")[0] > 20, "whole rows stand twice"
    assert seen(clone, "select count(*) from lines where shop is null or code = 'bad'") == (0,)
    assert seen(clone, "select count(*) from lines left join shops on shops.id = shop where shops.id is null") == (0,)
    assert seen(clone, "select count(*) from lines where word like '% ' or word = upper(word)")[0] > 50
    assert seen(clone, "select count(*) from lines where amount < 0")[0] > 20
    (ties,) = seen(clone, "select max(n) from (select count(*) n from lines group by weight) groups")
    assert ties > 200


@pytest.mark.parametrize(
    ("copy", "nulls", "values"),
    [
        (DataCopy.MUTATED_VALUES, False, True),
        (DataCopy.MUTATED_NULLS, True, False),
        (DataCopy.MUTATED_ROWS, False, False),
    ],
)
def test_gentler_copies_leave_out_what_an_original_cannot_take(
    clone: ReferenceDatabase, copies: DataCopies, copy: DataCopy, nulls: bool, values: bool
) -> None:
    copies.show(copy)
    missing, negative = seen(
        clone, "select count(*) filter (where amount is null), count(*) filter (where amount < 0) from lines"
    )
    assert (missing > 0, negative > 0) == (nulls, values)


def test_the_extreme_copy_has_the_greatest_values_and_the_empty_one_nothing(
    clone: ReferenceDatabase, copies: DataCopies
) -> None:
    copies.show(DataCopy.EXTREME)
    assert seen(clone, "select max(units), bool_or(weight = 'NaN') from lines") == (2147483647, True)
    copies.show(DataCopy.EMPTY)
    assert seen(clone, "select (select count(*) from lines), (select count(*) from wide)") == (0, 0)


def test_the_clone_is_as_it_was_until_it_is_disturbed(clone: ReferenceDatabase, copies: DataCopies) -> None:
    copies.show(DataCopy.CLONE)
    whole = "select (select count(*) from lines), (select count(*) from shops), (select sum(units) from lines)"
    before = seen(clone, whole)
    assert before[:2] == (9_000, 300)
    assert [copies.disturb(number) for number in (0, 1)] == [9 + 1 + 1] * 2
    assert seen(clone, whole)[:2] == (8_982, 298)


def test_very_small_tables_and_views_are_left_and_that_is_told(clone: ReferenceDatabase) -> None:
    copies = DataCopies(clone.admin, clone.run, ("few", "wide"), seed=7)
    with psycopg.connect(**clone.admin.parameters, autocommit=True) as session:
        session.execute("create table few as select generate_series(1, 199) as a")
        session.execute("analyze few")
    assert copies.disturb(0) == 0
    with psycopg.connect(**clone.admin.parameters) as session:
        assert session.execute("select count(*) from few").fetchone() == (199,)


def test_what_the_candidate_s_role_does_to_itself_is_not_done_to_the_original_s(
    clone: ReferenceDatabase, copies: DataCopies
) -> None:
    """Who may choose what both sides see would choose data on which its answer is right."""
    candidate = copies.candidate()
    copies.show(DataCopy.EMPTY)
    counted = "select count(*) from lines"
    with psycopg.connect(**candidate.parameters, autocommit=True) as session:
        assert session.execute(counted.encode()).fetchone() == (0,)
        session.execute("set default_transaction_read_only = off")
        session.execute(f"alter role current_user in database {candidate.database} set search_path = public")
        session.execute("alter role current_user set work_mem = '64kB'")
        for theirs in (f"alter role {clone.run.user} set work_mem = '64kB'", f"set role {clone.run.user}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(theirs.encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("delete from lines")
    assert seen(clone, counted) == (0,)
    assert seen(clone, "show work_mem") != ("64kB",)
    copies.show(DataCopy.SECOND)
    with psycopg.connect(**candidate.parameters) as session:
        assert session.execute(counted.encode()).fetchone() == seen(clone, counted)


def test_the_snippets_role_cannot_write_to_a_copy(clone: ReferenceDatabase, copies: DataCopies) -> None:
    copies.show(DataCopy.SECOND)
    with psycopg.connect(**clone.run.parameters, autocommit=True) as session:
        session.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("delete from lines")
