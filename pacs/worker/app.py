"""How Celery is set up: messages are JSON, nothing is answered, nobody gives it orders.

Whoever can reach the broker can send messages. All they can bring about is that a delivery which the
outbox has announced is begun: there are no other tasks, no pickle and no remote control.
"""

import logging
from collections.abc import Iterable
from typing import Any, Final

from celery import Celery
from kombu import Queue

from pacs.config import BrokerConfig
from pacs.worker.link import address

_BEYOND_LEASE_S: Final = 3600.0
# Both quick to give up: while the broker is away the work is done without it.
CONNECT_S: Final = 3.0
ANSWER_S: Final = 5.0


def task_name(errand: str) -> str:
    return f"hilum.{errand}"


def queue_name(errand: str) -> str:
    """One for each errand, so that none waits behind another."""
    return errand


def make_app(settings: BrokerConfig, errands: Iterable[str], *, lease_s: float = 0.0) -> Celery:
    """Knows where messages are sent; tasks are registered by who performs them. `lease_s` is the
    longest lease: only far beyond it may Redis give a message to somebody else."""
    names = tuple(errands)
    for chatty in ("celery", "kombu", "amqp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    app = Celery("hilum", set_as_current=False, fixups=[], broker=address(settings.url))
    app.conf.update(_messages(), **_worker())
    app.conf.update(
        task_queues=[Queue(queue_name(name)) for name in names],
        task_routes={task_name(name): {"queue": queue_name(name)} for name in names},
        broker_transport_options=_transport(settings, lease_s),
        broker_pool_limit=len(names) + 1,  # who sends of one errand never waits for another
    )
    app.finalize()
    for name in tuple(app.tasks):  # Celery's own: chords, maps and the like
        app.tasks.unregister(name)
    return app


def _messages() -> dict[str, Any]:
    return {
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_backend": None,
        "task_ignore_result": True,
        "task_create_missing_queues": False,
        "task_publish_retry": False,
        "task_send_sent_event": False,
    }


def _worker() -> dict[str, Any]:
    return {
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_disable_rate_limits": True,
        "worker_enable_prefetch_count_reduction": False,
        # Work goes on while the broker is away; what it comes to is written in the index.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": CONNECT_S,
    }


def _transport(settings: BrokerConfig, lease_s: float) -> dict[str, Any]:
    return {
        "global_keyprefix": f"{settings.prefix}.",
        "visibility_timeout": lease_s + _BEYOND_LEASE_S,
        "socket_connect_timeout": CONNECT_S,
        "socket_timeout": ANSWER_S,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "max_retries": 0,
    }
