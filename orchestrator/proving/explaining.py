"""Spark's plans of snippets, for an advisor that reads them."""

from __future__ import annotations

from collections.abc import Mapping

from executor.calls import PrepareRequest, SnippetCall
from orchestrator.leading.ending import Ends
from orchestrator.leading.materials import order_folder
from orchestrator.leading.parts import Parts
from orchestrator.leading.specs import session_spec
from snipbench.domain.plan import Parameters
from snipbench.domain.task import OrderRecord
from snipbench.errors import ChildError, ExecutorError

COLLECTION = "spark_plans"


def plans_of(
    parts: Parts, record: OrderRecord, task_id: str, points: Mapping[tuple[str, str], Parameters], ends: Ends
) -> dict[str, str]:
    """Plans by ``experiment/snippet``, each at the point given; a plan that cannot be had is missing and noted.

    The snippets are the user's own: they are explained in an ordinary session, on a clone per experiment. A plan is
    kept in the collection ``spark_plans`` and made once.

    Raises:
        DatabaseError: a reference database cannot be had.
        LeaseLost, LeaderStopped, TaskCancelled: ``ends`` told that the task must end.
    """
    order = record.order
    found: dict[str, str] = {}
    missing: dict[tuple[str, str], Parameters] = {}
    for place, point in points.items():
        kept = parts.store.get(COLLECTION, _key(task_id, *place))
        if kept is None:
            missing[place] = point
        else:
            found["/".join(place)] = kept["plan"]
    for name in dict.fromkeys(experiment for experiment, _ in missing):
        experiment = order.experiment(name)
        database = order.database(experiment.database)
        prototype = parts.databases.prepare(database, order_folder(record, parts.home), owner=task_id)
        clone = parts.databases.clone(prototype, database, owner=task_id)
        engine = parts.new_engine(session_spec(parts, order, work=parts.home.work, logs=parts.home.logs, here=True))
        ends.at_the_end(engine.kill)
        try:
            ends.raise_if_ended()
            engine.start()
            engine.prepare(
                PrepareRequest(
                    experiment=name,
                    jdbc_url=clone.run.jdbc_url,
                    user=clone.run.user,
                    password=clone.run.password,
                    application_name=f"snipbench-explain-{task_id}",
                    tables=experiment.tables,
                )
            )
            for (where, snippet), point in missing.items():
                if where == name:
                    try:
                        plan = engine.explain(SnippetCall(experiment.snippet(snippet), point))
                    except ChildError as error:
                        parts.progress.note(f"no plan of {name}/{snippet}: {error.kind}")
                        continue
                    found[f"{name}/{snippet}"] = plan
                    parts.store.insert(COLLECTION, [{"_id": _key(task_id, name, snippet), "plan": plan}])
        except ExecutorError as error:
            ends.raise_if_ended()
            parts.progress.note(f"no plans of {name}: {error}")
        finally:
            ends.at_the_end(None)
            engine.stop()
            parts.databases.release(clone.clone_id)
    return found


def _key(task_id: str, experiment: str, snippet: str) -> str:
    return f"{task_id}:{experiment}/{snippet}"
