"""Dispatch through Celery on Redis: a queue per kind of work, messages that carry an id and nothing else.

Nothing depends on what the broker keeps: a message that is lost is rung again by the reconciler, one that comes twice
finds the task led already. So the visibility time-out decides nothing, and results are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from orchestrator.dispatch.port import Work
from snipbench.errors import DispatchAway

TASK = "snipbench.work"
CONNECT_SECONDS = 3.0


def make_app(broker: str) -> Celery:
    """The Celery application: JSON only, one message at a time, acknowledged when its work is done."""
    app = Celery("snipbench", broker=broker, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=Work.LEAD.value,
        task_queues=[Queue(work.value) for work in Work],
        task_create_missing_queues=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": 10.0,
            "max_retries": 1,
            "interval_start": 0,
        },
        enable_utc=True,
    )
    return app


class QueueDispatch:
    """Implements the dispatch port on a broker's address (``redis://HOST:PORT/NUMBER``)."""

    def __init__(self, broker: str) -> None:
        self._app = make_app(broker)

    def ring(self, work: Work, subject: str) -> None:
        """See the port."""
        with _translated():
            self._app.send_task(TASK, args=[work.value, subject], queue=work.value, retry=False, ignore_result=True)

    def ready(self) -> None:
        """See the port."""
        with _translated(), self._app.connection_for_write(connect_timeout=CONNECT_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, timeout=CONNECT_SECONDS)
            connection.default_channel.client.ping()

    def close(self) -> None:
        """See the port."""
        self._app.close()


@contextmanager
def _translated() -> Iterator[None]:
    """The broker's errors leave as ours; its address, which may hold a password, does not."""
    try:
        yield
    except (OperationalError, RedisError, OSError) as error:
        raise DispatchAway(f"the message broker is not to be reached ({type(error).__name__})") from None
