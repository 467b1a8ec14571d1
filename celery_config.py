"""Celery's configuration: broker, queues, routes, limits and the beat schedule; data only.

Messages only notify workers of work; they may be lost, repeated or reordered without harm. docs/reliability.md explains
the figures, and tests/rules checks them.
"""

from kombu.entity import Exchange, Queue

from settings import current

_settings = current()

broker_url = _settings.celery_broker_url.get_secret_value()
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_transport_options = {
    "visibility_timeout": 900,  # longer than the time limit, so no running task is delivered again
    "unacked_restore_throttle": 1,  # messages of a dead worker are delivered again in seconds, not after 100 s
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,
}

task_serializer = "json"
accept_content = ["json"]
task_ignore_result = True
result_backend = None
task_store_errors_even_if_ignored = False
task_acks_late = True
task_reject_on_worker_lost = True
task_time_limit = 720  # a relay may answer the final dot after 600 s (RFC 5321, 4.5.3.2.6)
task_create_missing_queues = False
worker_prefetch_multiplier = 1
worker_cancel_long_running_tasks_on_connection_loss = False
worker_max_tasks_per_child = 1000
worker_hijack_root_logger = False
worker_send_task_events = True  # Flower reads them
worker_enable_remote_control = True
enable_utc = True
timezone = "UTC"

# One queue per purpose, each with its own workers (Procfile, docker-compose.yml), so that bulk e-mail delays neither a
# password reset nor the sweeps.
task_default_queue = "sequence"
QUEUES = ("transactional", "campaign", "events", "imports", "sequence")
task_queues = [
    Queue(name, Exchange(name), routing_key=name)  # type: ignore[no-untyped-call]  # kombu has no types
    for name in QUEUES
]
task_routes = {
    "sending.deliver_transactional": {"queue": "transactional"},
    "sending.deliver_campaign": {"queue": "campaign"},
    "events.apply": {"queue": "events"},
    "imports.store": {"queue": "imports"},
    "followups.call_due": {"queue": "sequence"},
    "followups.tick": {"queue": "sequence"},
    "upkeep.sweep": {"queue": "sequence"},
    "upkeep.tidy": {"queue": "sequence"},
    "figures.refresh": {"queue": "sequence"},
}

# No message expires: a worker compares that moment, which beat's clock gave, with its own clock. Ticks that piled up
# return at once instead (worker/tasks/ticks.py).
beat_schedule = {
    "start the follow-ups that are due": {"task": "followups.tick", "schedule": _settings.tick_s},
    "ring for waiting work, recover groups of dead senders": {"task": "upkeep.sweep", "schedule": _settings.tick_s},
    "count the figures of the pages": {"task": "figures.refresh", "schedule": 2 * _settings.tick_s},
    "delete rows past their retention": {"task": "upkeep.tidy", "schedule": 600.0},
}
beat_max_loop_interval = min(_settings.tick_s, 5.0)
