"""Domain values as documents of the store, and back. The one place that knows the documents' shapes.

============== ============================================= ==========================================
collection     ``_id``                                       what
============== ============================================= ==========================================
orders         order id                                      :class:`snipbench.domain.task.OrderRecord`
tasks          task id                                       :class:`snipbench.domain.task.Task` (compare and set)
events         ``task:sequence`` (nine digits)               :class:`snipbench.domain.event.Event`
plans          task id                                       :class:`snipbench.domain.plan.Plan`
runs           ``task:slot``                                 the accepted :class:`snipbench.domain.run.Run` of a slot
attempts       ``task:…:reason:session:started_at``          every other run, with the reason
results        ``task:experiment:snippet:hash(parameters)``  :class:`snipbench.domain.task.SnippetResult`
environments   environment id                                :class:`snipbench.domain.task.Environment`
table_facts    ``task:experiment``                           tuple of :class:`snipbench.domain.table_facts.TableFacts`
profiles       ``task:slot``                                 :class:`snipbench.domain.profile.Profile` of a point
samples        ``task:stream:target:sequence``               :class:`snipbench.domain.run.Counters` at a time
============== ============================================= ==========================================

Parameters stand in documents as canonical JSON text (``{"max_orderkey":15000}``), which the store can compare.
"""

from snipbench.records.events import event_from_document, event_to_document
from snipbench.records.orders import order_from_document, order_to_document
from snipbench.records.parameters import parameters_from_text, parameters_to_text
from snipbench.records.plans import plan_from_document, plan_to_document
from snipbench.records.profiles import profile_from_document, profile_to_document
from snipbench.records.results import (
    environment_from_document,
    environment_to_document,
    result_from_document,
    result_to_document,
)
from snipbench.records.runs import (
    AttemptReason,
    attempt_to_document,
    run_from_document,
    run_id,
    run_to_document,
)
from snipbench.records.samples import sample_to_document
from snipbench.records.table_facts import dataset_key, table_facts_from_document, table_facts_to_document
from snipbench.records.tasks import task_from_document, task_to_document

__all__ = [
    "AttemptReason",
    "attempt_to_document",
    "dataset_key",
    "environment_from_document",
    "environment_to_document",
    "event_from_document",
    "event_to_document",
    "order_from_document",
    "order_to_document",
    "parameters_from_text",
    "parameters_to_text",
    "plan_from_document",
    "plan_to_document",
    "profile_from_document",
    "profile_to_document",
    "result_from_document",
    "result_to_document",
    "run_from_document",
    "run_id",
    "run_to_document",
    "sample_to_document",
    "table_facts_from_document",
    "table_facts_to_document",
    "task_from_document",
    "task_to_document",
]
