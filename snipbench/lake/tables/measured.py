"""What was measured: runs, attempts, samples, run metrics, function calls."""

from __future__ import annotations

from snipbench.lake.columns import (
    EXPERIMENT,
    PARAMETERS,
    SNIPPET,
    TASK_ID,
    Column,
    ColumnType,
    Table,
    flag,
    instant,
    integer,
    key,
    number,
    text,
)

_RUN_FACTS: tuple[Column, ...] = (
    EXPERIMENT,
    SNIPPET,
    PARAMETERS,
    key("phase", "warmup or measured"),
    integer("repetition", "Number of the repetition, from 0", nullable=False),
    TASK_ID,
    integer("attempt", "Number of the attempt at the slot, from 1", nullable=False),
    key("status", "ok, failed, timeout, killed or interrupted"),
    number("wall_seconds", "Time of the materialisation alone", "seconds"),
    number("cpu_seconds_executor", "CPU time of the executor, JVM and Python workers; null on a cluster", "seconds"),
    number("cpu_seconds_database", "CPU time of the reference database", "seconds"),
    integer("memory_peak_bytes", "Peak of the JVM's pools plus peak of the Python workers", "bytes"),
    integer("memory_spark_execution_peak_bytes", "Spark's peak execution memory", "bytes"),
    integer("memory_jvm_pools_peak_bytes", "Peak of the JVM's memory pools, reset before the run", "bytes"),
    integer("memory_python_workers_peak_bytes", "Peak of the Python workers", "bytes"),
    flag("too_short_executor", "The run was too short for the executor's CPU time to be resolved"),
    flag("too_short_database", "The run was too short for the database's CPU time to be resolved"),
    flag("outlier", "Far from the median wall time by the median absolute deviation; still in every figure"),
    text("result_hash", "Hash of the result, taken in an untimed pass"),
    text("error_kind", "Name of the exception or of the broken rule"),
    text("error_message", "Its message"),
    text("error_traceback", "End of its traceback"),
    text("session_id", "Life of the Spark process"),
    text("block", "Repetition of all variants; pairs are formed within it"),
    integer("position", "Place in the plan, from 0", nullable=False),
    instant("started_at", "Start of the run"),
    instant("ended_at", "End of the run"),
    text("clone_id", "Clone of the reference database"),
    text("output_tail", "End of what the snippet printed"),
    integer("output_bytes", "Size of all that the snippet printed", "bytes"),
)

RUNS = Table(
    "runs",
    "The accepted run of each slot of the plan",
    (key("slot_id", "Line of the plan: hash of its content"), *_RUN_FACTS),
)

ATTEMPTS = Table(
    "attempts",
    "Every other run: interrupted, cut with its block, repeated warm-ups",
    (
        text("slot_id", "Line of the plan; null for a warm-up that a new session repeated"),
        *_RUN_FACTS,
        key("reason", "interrupted, block_cut, repeated_warmup or superseded"),
    ),
)

SAMPLES = Table(
    "samples",
    "Counters of the targets over time, as streamed",
    (
        TASK_ID,
        key("target", "executor, database:NAME; driver where Spark's executors are on a cluster"),
        text("stream_id", "One start of the monitoring; counters are comparable within it"),
        integer("sequence", "Number of the sample in its stream and target, from 0", nullable=False),
        instant("at", "When the counters were read"),
        text("experiment", "Experiment that was running"),
        text("slot_id", "Slot whose run was under way at that time; null between runs"),
        text("source", "process, cgroup or docker"),
        number("cpu_seconds", "Cumulative CPU time", "seconds"),
        number("cpu_user_seconds", "Of it, in user mode", "seconds"),
        number("cpu_system_seconds", "Of it, in the kernel", "seconds"),
        integer("memory_bytes", "Level of memory, as defined beside it", "bytes"),
        text("memory_definition", "rss, pss or cgroup_less_inactive_file"),
        integer("read_bytes", "Cumulative bytes read", "bytes"),
        integer("write_bytes", "Cumulative bytes written", "bytes"),
        text("io_definition", "proc_io or blkio"),
        integer("processes", "Processes of the target", "count"),
        integer("threads", "Threads of the target", "count"),
    ),
)

RUN_METRICS = Table(
    "run_metrics",
    "Every further figure of an accepted run, one row per figure",
    (
        TASK_ID,
        key("slot_id", "Line of the plan"),
        key("target", "executor, driver, database:NAME, spark (Spark's own metrics) or platform (time around the run)"),
        key("metric", "Figure's name, which ends in its unit"),
        number("value", "Figure's value; null where the source does not tell", "as the metric's name says"),
        text("source", "Where the figure comes from"),
    ),
)

FUNCTION_CALLS = Table(
    "function_calls",
    "Profiled calls; the first 17 columns are those of S2.2",
    (
        Column("ingestion_date", ColumnType.DATE, "Day on which the row was made", "UTC"),
        integer("thread_id", "System's id of the thread"),
        integer("process_id", "System's id of the process"),
        text("unique_app_id", "One run of the program, shared by its processes"),
        text("class_name", "Class that defines the method; null for a function"),
        text("function_name", "Function's name"),
        number("execution_time", "Time of the call by a monotonic clock", "seconds"),
        instant("start_time", "Start of the call"),
        instant("end_time", "End of the call"),
        integer("memory_usage", "Growth of the process's resident memory during the call; may be negative", "bytes"),
        number("cpu_usage", "CPU time of the thread during the call", "seconds"),
        integer("recursion_limit", "Interpreter's recursion limit", "count"),
        text("arguments", "Positional arguments, bounded and redacted"),
        text("keyword_arguments", "Keyword arguments, bounded and redacted"),
        text("return_value", "Returned value, bounded and redacted"),
        Column("source_code_compressed", ColumnType.BINARY, "Function's source", "zlib over UTF-8"),
        text("source_code_md5_hash", "MD5 of the uncompressed source", "hexadecimal"),
        text("call_id", "Call's id, unique over processes"),
        text("parent_id", "Profiled call that made this one"),
        text("exception", "Exception that ended the call"),
        text("task_id", "Task that the call belongs to; null for a program of one's own"),
        text("slot_id", "Point that was profiled; functions has its snippet and parameters"),
    ),
)

FUNCTIONS = Table(
    "functions",
    "What each function of a profiled snippet cost in its profile pass, over all calls; with the profiler's own cost",
    (
        TASK_ID,
        key("slot_id", "Point that was profiled"),
        EXPERIMENT,
        SNIPPET,
        PARAMETERS,
        text("class_name", "Class that defines the method; null for a function"),
        key("function_name", "Function's name"),
        text("source_code_md5_hash", "MD5 of the uncompressed source", "hexadecimal"),
        integer("calls", "Calls that were counted", "count", nullable=False),
        integer("uncounted_calls", "Of them, beyond the bound: in no time below", "count", nullable=False),
        number("own_seconds", "Time of the calls less that of profiled calls they made", "seconds"),
        number("total_seconds", "Time of the calls; of a recursive function, of the outermost ones", "seconds"),
        number("share_of_own_time", "Own time in that of all functions of the point"),
        number("mean_seconds", "Mean time of a call", "seconds"),
        number("median_seconds", "Median time of a call", "seconds"),
        number("p95_seconds", "95th percentile of the calls' times", "seconds"),
        number("longest_seconds", "Time of the longest call", "seconds"),
        integer("observed_calls", "Calls in which CPU time was read", "count", nullable=False),
        number("observed_seconds", "Their wall time", "seconds"),
        number("cpu_seconds", "Their CPU time", "seconds"),
        integer("memory_growth_bytes", "Largest growth of resident memory in one observed call", "bytes"),
        integer("exceptions", "Calls that an exception ended", "count", nullable=False),
    ),
)

THREAD_ZEPPELIN_COLUMNS: tuple[str, ...] = FUNCTION_CALLS.column_names[:17]
"""The columns of S2.2, in order."""
