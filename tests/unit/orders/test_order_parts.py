"""Single parts: quantities, Spark types, inheritance and floors, values whose part is not built yet."""

from __future__ import annotations

import pytest

from orchestrator.orders import LoadedOrder, parse_order
from orchestrator.orders.spark_types import schema_problem, type_problem
from snipbench.domain.analysis import Classify, Metric, Optimize
from snipbench.domain.order import Role
from snipbench.domain.quantity import parse_duration, parse_percent, parse_size
from snipbench.errors import OrderError
from tests.orders import HEAD

ROW = "def run(x): return x"


def order_of(snippets: str) -> LoadedOrder:
    return parse_order(HEAD + snippets)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("500ms", 0.5), ("2m", 120), ("2 min", 120), ("1.5h", 5400), ("20us", 2e-5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [("256MB", 2**28), ("1g", 2**30), ("64KiB", 2**16), ("512 kB", 2**19), ("7b", 7), ("1.5G", 3 * 2**29)],
)
def test_sizes_are_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_percentages() -> None:
    assert parse_percent("5%") == 0.05


@pytest.mark.parametrize("text", ["", "s", "1 year", "-1s", "1e3s", "5"])
def test_text_without_a_unit_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "double",
        "BIGINT",
        "decimal",
        "decimal(10,2)",
        "array<int>",
        "map<string, array<double>>",
        "struct<a: int, b: struct<c string not null comment 'x'>>",
        "struct<>",
        "varchar(10)",
        "timestamp_ntz",
        "interval day to second",
        "string collate UTF8_LCASE",
        "struct<`a b`: int>",
    ],
)
def test_spark_types(text: str) -> None:
    assert type_problem(text) is None


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("doubel", "did you mean 'double'"),
        ("", "the text ends"),
        ("array<int", "'>' is missing"),
        ("array", "'<' is missing"),
        ("map<string>", "'>' stands where ','"),
        ("decimal(39)", "precision '39' is out of range"),
        ("varchar", "needs a length"),
        ("int int", "'int' stands behind the type"),
        ("struct<a int, A int>", "field 'A' stands twice"),
        ("int;", "';' cannot stand in a type"),
        ("interval second to day", "does not exist"),
        ("array<" * 60 + "int" + ">" * 60, "nested more than"),
    ],
)
def test_what_is_no_spark_type_says_why(text: str, fragment: str) -> None:
    assert fragment in (type_problem(text) or "")


def test_schemas_have_names() -> None:
    assert schema_problem("id bigint, total: double") is None
    assert "has no type" in (schema_problem("bigint") or "")


def test_variant_with_its_own_input_has_its_own_floor() -> None:
    order = order_of(f"""\
      - {{name: a, kind: python_udf, input: select l_tax from lineitem, returns: double, code: "{ROW}"}}
      - {{name: b, kind: pandas_udf, variant_of: a, code: "{ROW}"}}
      - {{name: c, kind: arrow_udf, variant_of: a, input: select l_discount from lineitem, code: "{ROW}"}}
""").order
    floors = [snippet for snippet in order.experiments[0].snippets if snippet.role is Role.FLOOR]
    assert [(floor.name, floor.baseline, floor.code) for floor in floors] == [
        ("a.input", "a", "select l_tax from lineitem"),
        ("c.input", "a", "select l_discount from lineitem"),
    ]


def test_udf_variant_of_a_query_gets_the_floor_of_its_group() -> None:
    order = order_of(f"""\
      - {{name: native, kind: sql, code: select l_tax from lineitem}}
      - name: row
        kind: python_udf
        variant_of: native
        input: select l_tax from lineitem
        returns: double
        code: "{ROW}"
""").order
    assert [snippet.name for snippet in order.experiments[0].snippets] == ["native", "row", "native.input"]


def test_no_floor_without_a_udf() -> None:
    order = order_of("""\
      - {name: f, kind: function, input: select l_tax from lineitem, code: "def run(rows): return 1"}
""").order
    assert [snippet.role for snippet in order.experiments[0].snippets] == [Role.BASELINE]


def test_template_is_the_baselines_and_can_be_stated() -> None:
    order = order_of("""\
      - {name: a, kind: sql, code: select 1, template: sums}
      - {name: b, kind: sql, code: select 1, variant_of: a}
      - {name: c, kind: sql, code: select 1}
""").order
    assert [snippet.template for snippet in order.experiments[0].snippets] == ["sums", "sums", "c"]


def test_variant_can_state_what_it_would_inherit() -> None:
    order = order_of(f"""\
      - name: a
        kind: python_udf
        input: select l_tax from lineitem
        returns: double
        allow_all_null: true
        code: "{ROW}"
      - {{name: b, kind: python_udf, variant_of: a, returns: float, allow_all_null: false, code: "{ROW}"}}
""").order
    a, b = (order.experiments[0].snippet(name) for name in "ab")
    assert (a.allow_all_null, b.allow_all_null, b.returns, b.input) == (True, False, "float", a.input)


SQL = "      - {name: a, kind: sql, code: select 1}\n"
STREAMING = '      - {name: a, kind: streaming, input: select 1, code: "def run(source): return source"}\n'
BARRIER = (
    '      - {name: a, kind: barrier, input: select 1, returns: a int, code: "def run(context, rows): return rows"}\n'
)
IMPROVE = "analyses: [{name: improve, kind: optimize, advisor: llm, budget: {tokens: 20000}}]\n"
BY_CPU = """\
analyses:
  - {name: by-cpu, kind: classify, target: cpu_seconds, classes: {by: quantile, low: 0.33, medium: 0.66, high: 1.0},
     tasks: [this], experiments: [one], preprocess: {drop_failed: true, outliers: keep}, search: {trials: 50}}
"""
TABLES = "    tables:"


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("name: small", "name: small\ncalibrate: true", "calibrate: true"),
        ("name: small", 'name: small\nspark: {master: "k8s://https://host"}', "a Spark master other than local"),
        (TABLES, f"    warmups: auto\n{TABLES}", "warmups: auto"),
        (TABLES, f"    repetitions: {{auto: true, interval: 5%, cap: 40}}\n{TABLES}", "automatic repetitions"),
        (SQL, STREAMING, "kind 'streaming'"),
        (SQL, BARRIER, "kind 'barrier'"),
    ],
)
def test_value_whose_part_is_not_built_is_refused_once(old: str, new: str, what: str) -> None:
    with pytest.raises(OrderError) as caught:
        parse_order((HEAD + SQL).replace(old, new, 1))
    (mistake,) = caught.value.mistakes
    assert mistake.message.startswith(what)
    assert mistake.message.endswith("not built yet in this version")


@pytest.mark.parametrize(
    "master",
    ["local", "local[2]", "local[*]", "local[2, 3]", "spark://host:7077", "spark://10.0.0.1:7077,other.host:1"],
)
def test_spark_runs_here_or_on_a_standalone_cluster(master: str) -> None:
    order = parse_order((HEAD + SQL).replace("name: small", f'name: small\nspark: {{master: "{master}"}}', 1)).order
    assert order.spark.master == master


@pytest.mark.parametrize(
    "master",
    [
        "localhost",
        "local[two]",
        "spark://host",
        "spark://host:0",
        "spark://host:70777",
        "spark://u@host:1/x",
        "host:7077",
    ],
)
def test_what_is_no_spark_master_is_told_once_with_its_line_and_the_forms(master: str) -> None:
    with pytest.raises(OrderError) as caught:
        parse_order((HEAD + SQL).replace("name: small", f'name: small\nspark: {{master: "{master}"}}', 1))
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.path) == (2, "spark.master")
    assert mistake.message.startswith(f"{master!r} is no Spark master: must be local, local[N]")


def test_profiles_of_a_cluster_s_workers_are_refused() -> None:
    text = 'name: small\nspark: {master: "spark://host:7077"}\nprofile: true'
    with pytest.raises(OrderError) as caught:
        parse_order((HEAD + SQL).replace("name: small", text, 1))
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.path) == (3, "profile")
    assert mistake.message.startswith("function-level profiles need a local Spark master")


def test_optimize_analysis_is_read_with_all_its_keys() -> None:
    (analysis,) = parse_order((HEAD + SQL).replace("name: small\n", f"name: small\n{IMPROVE}", 1)).order.analyses
    assert isinstance(analysis, Optimize)
    assert (analysis.worst, analysis.by, analysis.advisor) == (3, Metric.WALL_SECONDS, "llm")
    assert analysis.budget is not None
    assert analysis.budget.tokens == 20_000


def test_classify_analysis_is_read_with_all_its_keys() -> None:
    text = BY_CPU.replace("search:", 'export: "s3://tables/training", search:')
    (analysis,) = parse_order(f"{HEAD}{SQL}{text}").order.analyses
    assert isinstance(analysis, Classify)
    assert (analysis.target, analysis.tasks, analysis.search.trials) == (Metric.CPU_SECONDS, ("this",), 50)
    assert analysis.export == "s3://tables/training"
