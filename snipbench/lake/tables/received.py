"""What was asked for and on what it ran: orders, tasks, experiments, snippets, environments, events."""

from __future__ import annotations

from snipbench.lake.columns import (
    EXPERIMENT,
    SNIPPET,
    TASK_ID,
    Column,
    ColumnType,
    Table,
    flag,
    instant,
    integer,
    json_text,
    key,
    number,
    text,
)

ORDERS = Table(
    "orders",
    "Submitted orders, one row per task that ran through one",
    (
        key("order_id", "Order's id"),
        TASK_ID,
        key("name", "Order's name"),
        text("description", "Order's description"),
        json_text("tags", "List of tags"),
        text("file", "Name of the file as it was submitted"),
        text("text", "The file's text", "YAML"),
        integer("seed", "Seed of the plan, overrides applied"),
        text("schedule", "Order of runs: randomized, interleaved or sequential"),
        integer("sessions", "Fresh sessions over which the repetitions are split", "count"),
        flag("calibrate", "Whether A/A pairs were asked for"),
        number("float_tolerance", "Relative tolerance when results are compared", "ratio"),
        flag("profile", "Whether function-level profiles were asked for"),
        text("spark_master", "Spark master"),
        json_text("spark_conf", "Spark settings of the order"),
        json_text("overrides", "What the request changed: warmups, repetitions, seed"),
        instant("submitted_at", "When the order was received"),
    ),
)

TASKS = Table(
    "tasks",
    "Run-throughs of orders",
    (
        TASK_ID,
        key("order_id", "Order's id"),
        key("order_name", "Order's name"),
        key("status", "completed, partly_failed, failed, cancelled or interrupted"),
        text("mode", "Choice of adapters: embedded, docker, services, cluster"),
        text("plan_hash", "Hash that names the plan"),
        integer("seed", "Seed of the plan"),
        instant("requested_at", "When the task was asked for"),
        instant("started_at", "When its leader began"),
        instant("ended_at", "When it ended"),
        text("environment_id", "Environment that it ran on"),
        text("failure_kind", "Name of the error that ended the task"),
        text("failure_message", "Its message"),
        text("report", "Path of the report"),
    ),
)

EXPERIMENTS = Table(
    "experiments",
    "Snippets × parameters on one reference database",
    (
        TASK_ID,
        EXPERIMENT,
        key("database", "Reference database's name in the order"),
        json_text("dataset", "How the reference database is generated"),
        text("dataset_hash", "Hash of what the dataset contains"),
        text("source", "jdbc: views are read each time; cached: materialised untimed first"),
        json_text("tables", "Tables that became views, with partitioning and fetch size"),
        text("warmups", "Warm-ups per snippet and parameter point, or auto"),
        json_text("repetitions", "Measured runs per snippet and parameter point, or how to choose them"),
        number("timeout_seconds", "Limit of one run", "seconds"),
        json_text("parameter_matrix", "Values of each parameter"),
        integer("snippets", "Snippets in the experiment", "count"),
    ),
)

SNIPPETS = Table(
    "snippets",
    "Code under test",
    (
        TASK_ID,
        EXPERIMENT,
        SNIPPET,
        key("kind", "sql, dataframe, python_udf, …"),
        text("role", "baseline, variant, or floor: the input alone"),
        key("baseline", "Snippet that it is compared with; its own name for a baseline"),
        text("template", "Group that keeps relatives on one side of a model's split"),
        json_text("tags", "List of tags"),
        text("entry", "Name of the function that is called"),
        text("input", "Query that gives the input", "SQL"),
        text("returns", "Type or schema returned", "Spark SQL type"),
        text("file", "File that the code stood in"),
        Column("source_code_compressed", ColumnType.BINARY, "The code", "zlib over UTF-8", False),
        key("source_code_md5_hash", "MD5 of the uncompressed code", "hexadecimal"),
    ),
)

ENVIRONMENTS = Table(
    "environments",
    "Facts of the machine and the software, one row per fact",
    (
        TASK_ID,
        key("environment_id", "Id of this reading of the facts"),
        key("fingerprint", "Hash of the lasting facts, load and steal left out: equal environments have equal ones"),
        key("area", "Group of facts: cpu, kernel, postgresql, spark, libraries, …"),
        key("name", "Fact's name"),
        json_text("value", "Fact's value; null where the machine does not tell"),
        instant("recorded_at", "When the facts were read"),
    ),
)

EVENTS = Table(
    "events",
    "The event log, with the 21 stages of the main flow",
    (
        TASK_ID,
        integer("sequence", "Place in the task's log, from 1", nullable=False),
        instant("at", "When it happened"),
        integer("stage", "Number of the stage, 1–21; null for what is none of them"),
        key("name", "What happened"),
        text("status", "ok, failed, or a word of the stage's own"),
        text("experiment", "Experiment's name"),
        text("slot_id", "Slot's id"),
        text("text", "Details in words"),
        json_text("data", "Details as values"),
    ),
)

__all__ = ["ENVIRONMENTS", "EVENTS", "EXPERIMENTS", "ORDERS", "SNIPPETS", "TASKS"]
