"""The two Celery apps and their queues.

`query_app` carries searches and embed batches: no result backend, no acknowledgement round trips, binary bodies; a lost
message costs one request, whose caller hears of it at the deadline. `job_app` carries indexing and periodic work, all
of which is found again in Postgres when a message is lost. Neither imports Django: the indexer asks for it by its
environment.
"""

from logging.config import dictConfig
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_ready
from kombu import Queue

from embedding_project.broker.clocks import watch_clock
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import Config, load_config
from embedding_project.contracts.queues import (
    INDEX_QUEUE,
    REEMBED_CHUNK_TASK,
    REEMBED_QUEUE,
    REEMBED_WAVE_DONE_TASK,
)
from embedding_project.observing.log_lines import logging_settings
from embedding_project.observing.metrics_server import serve_metrics
from embedding_project.threads.collector import spare_startup_objects


def _transport_options(**options: Any) -> dict[str, Any]:
    return {
        "priority_steps": [0],
        "queue_order_strategy": "priority",
        "socket_timeout": 2,
        "socket_connect_timeout": 1,
        "socket_keepalive": True,
        "health_check_interval": 5,
        # Else who sends is held for six seconds while the broker refuses connections. Workers reconnect by other rules.
        "max_retries": 0,
        **options,
    }


def _settings(config: Config) -> dict[str, Any]:
    return {
        "broker_url": config.redis_url,
        "broker_transport": "embedding_project.broker.transport:Transport",
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_pool_limit": 16,
        "broker_pool_acquire_timeout": 1.0,
        "result_backend": None,
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_publish_retry": False,
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "enable_utc": True,
    }


def make_query_app(config: Config) -> Celery:
    """The app that sends to, and works for, the broker of `config`."""
    app = Celery("query", set_as_current=False)
    app.conf.update(
        _settings(config),
        task_serializer="msgpack",
        accept_content=["msgpack"],
        broker_transport_options=_transport_options(ack_emulation=False),
    )
    return app


def _job_app(config: Config) -> Celery:
    app = Celery("jobs", include=["embeddings_app.tasks"])
    app.conf.update(
        _settings(config),
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=INDEX_QUEUE,
        task_queues=[Queue(INDEX_QUEUE), Queue(REEMBED_QUEUE)],
        task_routes={name: {"queue": REEMBED_QUEUE} for name in (REEMBED_CHUNK_TASK, REEMBED_WAVE_DONE_TASK)},
        # The chords of re-embedding count their finished chunks there; no other task has a result.
        result_backend=config.redis_url,
        result_expires=3600,
        result_backend_transport_options={"retry_policy": {"timeout": 2.0}},
        broker_transport_options=_transport_options(
            # Every job is found again by the sweep, so late redelivery has nothing to add and may only repeat work.
            visibility_timeout=600,
            unacked_key="jobs.unacked",
            unacked_index_key="jobs.unacked_index",
            unacked_mutex_key="jobs.unacked_mutex",
        ),
        worker_soft_shutdown_timeout=3.0,
        beat_max_loop_interval=1.0,
        # A beat that takes over goes on where the last message left the schedule.
        beat_sync_every=1,
    )
    return app


@setup_logging.connect
def _log_like_every_role(**_: object) -> None:
    # With a receiver of this signal, Celery leaves logging alone.
    dictConfig(logging_settings(load_config()))


@worker_ready.connect
def _settle(**_: object) -> None:
    watch_clock(broker_client(load_config().redis_url))
    if port := load_config().metrics_port:
        serve_metrics(port)
    spare_startup_objects()


query_app = make_query_app(load_config())
job_app = _job_app(load_config())
