"""What the models cannot say: how the parts of an order fit together.

The checks work on the tree of the file, not on its models, so that a mistake of structure in one place hides no
other mistake. A value of the wrong type is passed over here; it is told as a mistake of structure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.orders.code import Codebook
from orchestrator.orders.document import Node
from orchestrator.orders.mistakes import Findings, hint
from orchestrator.orders.resolve import Overrides
from orchestrator.orders.snippets import Surroundings, check_snippets, names_twice
from orchestrator.orders.unbuilt import check_unbuilt
from snipbench.domain import spark_master
from snipbench.domain.database import TABLES_OF_GENERATOR
from snipbench.domain.order import ExperimentKeys, OrderKeys
from snipbench.errors import UsageError
from snipbench.redaction import is_secret_name


def check_order(root: Node, codebook: Codebook, overrides: Overrides, findings: Findings) -> None:
    """Report everything that does not fit together, and take in the code of all snippets."""
    _check_spark(root, findings)
    for database in root.items("databases"):
        _check_dataset(database, codebook, findings)
    for node, name, line in names_twice(tuple(root.items("experiments"))):
        findings.add(node.place, node.path, f"experiment {name!r} stands twice; first in line {line}")
    for index, experiment in enumerate(root.items("experiments")):
        if isinstance(experiment.value, dict):
            _Experiment(root, experiment, findings).check(index, codebook, overrides)
    _check_analyses(root, findings)
    check_unbuilt(root, findings)


def _check_spark(root: Node, findings: Findings) -> None:
    spark = root.get("spark")
    master = spark.get("master") if spark is not None else None
    if master is not None and isinstance(master.value, str) and master.value:
        _check_master(root, master, findings)
    conf = spark.get("conf") if spark is not None else None
    if conf is None:
        return
    for key, place in conf.keys.items():
        if key == "spark.master":
            findings.add(place, conf.below(key), "'spark.master' is stated by the key spark.master of the order")
        elif not key.startswith("spark."):
            findings.add(place, conf.below(key), f"{key!r} is no Spark setting; did you mean {'spark.' + key!r}?")
        elif is_secret_name(key) and _may_be_secret(conf.get(key)):
            findings.add(
                place,
                conf.below(key),
                f"{key!r} is the name of a secret: an order is stored and shown to whoever may read. Give the secret "
                "to the process that runs Spark, as a variable of its environment",
            )


def _check_master(root: Node, master: Node, findings: Findings) -> None:
    """Its form, and what cannot be had of a cluster; whether one is there turns out when a session is started."""
    if spark_master.is_other_cluster(master.value):
        return  # told by what is not built yet
    if not spark_master.is_well_formed(master.value):
        findings.add(master.place, master.path, f"{master.value!r} is no Spark master: must be {spark_master.FORMS}")
        return
    profile = root.get("profile")
    if not spark_master.is_local(master.value) and profile is not None and profile.value is True:
        findings.add(
            profile.place,
            profile.path,
            f"function-level profiles need a local Spark master: calls made by the workers of {master.value} are not "
            "collected",
        )


def _may_be_secret(value: Node | None) -> bool:
    """A switch or a number is none, whatever it is called."""
    return value is not None and isinstance(value.value, str) and value.value.lower() not in {"true", "false"}


def _check_dataset(database: Node, codebook: Codebook, findings: Findings) -> None:
    """Only what needs no database: the files are there."""
    dataset = database.get("dataset")
    if dataset is None:
        return
    base = codebook.sources.base
    script = dataset.get("sql")
    if script is not None and isinstance(script.value, str) and script.value:
        try:
            codebook.sources.check(script.value)
        except UsageError as error:
            findings.add(script.place, script.path, str(error))
    for key in ("csv", "data_directory"):
        folder = dataset.get(key)
        if folder is None or not isinstance(folder.value, str) or not folder.value:
            continue
        if base is None:
            findings.add(folder.place, folder.path, f"{folder.value!r} is a folder; a submitted order cannot name one")
        elif not _is_folder(base / folder.value):
            findings.add(folder.place, folder.path, f"folder {folder.value!r} is not there (relative to the order)")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, a folder that may not be looked into
        return False


class _Experiment:
    """Checks of one experiment."""

    def __init__(self, root: Node, experiment: Node, findings: Findings) -> None:
        self._root = root
        self._node = experiment
        self._findings = findings

    def check(self, index: int, codebook: Codebook, overrides: Overrides) -> None:
        """Report its mistakes and take in its snippets' code."""
        database = self._database()
        views = self._tables(database)
        parameters = self._node.get("parameters")
        names = tuple(parameters.keys) if parameters is not None and isinstance(parameters.value, dict) else ()
        used = check_snippets(self._node, index, Surroundings(names, views), codebook, self._findings)
        if used is not None and parameters is not None:
            for name in names:
                if name not in used:
                    self._findings.add(
                        parameters.key_place(name),
                        parameters.below(name),
                        f"no snippet uses the parameter {name!r}; it would only repeat the runs",
                    )
        self._sessions(overrides)

    def _database(self) -> Node | None:
        node, databases = self._node.get("database"), self._root.get("databases")
        if node is None or not isinstance(node.value, str) or databases is None:
            return None
        if node.value not in databases.keys:
            self._findings.add(
                node.place,
                node.path,
                f"{node.value!r} is no database of the order{hint(node.value, databases.keys, what='databases')}",
            )
        return databases.get(node.value)

    def _tables(self, database: Node | None) -> tuple[str, ...] | None:
        """Names of the tables; ``None`` if not all could be read."""
        generator = database.value.get("dataset") if database is not None and isinstance(database.value, dict) else None
        made = TABLES_OF_GENERATOR.get(_text(generator, "generator"))
        names: list[str] = []
        whole = True
        tables = tuple(self._node.items("tables"))
        for table in tables:
            name = table.get("name") if isinstance(table.value, dict) else table
            if name is None or not isinstance(name.value, str):
                whole = False
                continue
            names.append(name.value)
            if made is not None and name.value not in made:
                self._findings.add(
                    name.place,
                    name.path,
                    f"{name.value!r} is no table of the dataset{hint(name.value, made, what='tables')}",
                )
            if isinstance(table.value, dict):
                self._partitions(table)
        flat = [table.get("name") or table for table in tables]
        for node, name_text, line in names_twice(flat, None):
            self._findings.add(node.place, node.path, f"table {name_text!r} stands twice; first in line {line}")
        return tuple(names) if whole else None

    def _partitions(self, table: Node) -> None:
        partitions = table.value.get("partitions", 1)
        has_column = table.value.get("partition_column") is not None
        if isinstance(partitions, int) and partitions > 1 and not has_column:
            self._findings.add(
                table.key_place("partitions"),
                table.below("partitions"),
                f"{partitions} partitions need a partition_column",
            )
        if has_column and "partitions" not in table.keys:
            self._findings.add(
                table.key_place("partition_column"),
                table.below("partition_column"),
                "a partition_column needs partitions: how many",
            )

    def _sessions(self, overrides: Overrides) -> None:
        sessions = self._root.value.get("sessions", OrderKeys.model_fields["sessions"].default)
        repetitions: Any = overrides.repetitions
        if repetitions is None:
            repetitions = self._node.value.get("repetitions", ExperimentKeys.model_fields["repetitions"].default)
        if _count(sessions) and _count(repetitions) and sessions > repetitions >= 1:
            node = self._root.get("sessions") or self._root
            self._findings.add(
                node.place,
                node.path,
                f"{sessions} sessions cannot share the {repetitions} repetitions of experiment "
                f"{self._node.text('name')!r}; each session needs one",
            )


def _check_analyses(root: Node, findings: Findings) -> None:
    analyses = tuple(root.items("analyses"))
    for node, twice, line in names_twice(analyses):
        findings.add(node.place, node.path, f"analysis {twice!r} stands twice; first in line {line}")
    experiments = [name for node in root.items("experiments") if (name := node.text("name")) is not None]
    for analysis in analyses:
        for node in analysis.items("experiments"):
            if isinstance(node.value, str) and node.value not in experiments:
                findings.add(
                    node.place,
                    node.path,
                    f"{node.value!r} is no experiment of the order{hint(node.value, experiments, what='experiments')}",
                )
        classes = analysis.get("classes")
        if classes is not None and isinstance(classes.value, dict):
            _check_classes(classes, findings)


def _check_classes(classes: Node, findings: Findings) -> None:
    """Bounds rise; quantiles lie between 0 and 1."""
    defaults = {"low": 0.33, "medium": 0.66, "high": 1.0}
    bounds = {key: classes.value.get(key, default) for key, default in defaults.items()}
    if not all(isinstance(bound, int | float) and not isinstance(bound, bool) for bound in bounds.values()):
        return
    if classes.value.get("by", "quantile") == "quantile":
        for key, bound in bounds.items():
            if not 0 < bound <= 1:
                node = classes.get(key) or classes
                findings.add(node.place, node.path, f"{bound} is no quantile: must be more than 0 and at most 1")
    for lower, upper in (("low", "medium"), ("medium", "high")):
        if bounds[lower] >= bounds[upper]:
            node = classes.get(upper) or classes
            findings.add(
                node.place,
                node.path,
                f"bounds must rise from class to class: {upper} ({bounds[upper]}) is not above {lower} "
                f"({bounds[lower]})",
            )


def _text(mapping: Any, key: str) -> str:
    value = mapping.get(key) if isinstance(mapping, dict) else None
    return value if isinstance(value, str) else ""


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
