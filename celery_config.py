"""Celery's configuration: broker, queues, routes, limits and the beat schedule; data only.

Celery is the doorbell: its messages say "there is work" and may be lost, repeated or reordered without harm.
The figures are those of docs/reliability.md; tests/rules holds them.
"""

from settings import current

_settings = current()

broker_url = _settings.celery_broker_url.get_secret_value()
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_transport_options = {
    "visibility_timeout": 900,  # longer than time_limit, so no running task is given out again
    "unacked_restore_throttle": 1,  # a dead worker's messages come back in seconds, not after 100 s
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
task_time_limit = 720  # a relay may take 600 s to answer the final dot (RFC 5321, 4.5.3.2.6)
task_create_missing_queues = False
worker_prefetch_multiplier = 1
worker_cancel_long_running_tasks_on_connection_loss = False
worker_max_tasks_per_child = 1000
worker_hijack_root_logger = False
worker_send_task_events = True  # Flower reads them
worker_enable_remote_control = True
enable_utc = True
timezone = "UTC"

# One queue a purpose, each with workers of its own (Procfile, docker-compose.yml): bulk never starves a password
# reset, and neither starves the sweeps.
task_default_queue = "sequence"
QUEUES = ("transactional", "campaign", "events", "sequence")
task_queues = {name: {"exchange": name, "routing_key": name} for name in QUEUES}
task_routes = {
    "sending.deliver_transactional": {"queue": "transactional"},
    "sending.deliver_campaign": {"queue": "campaign"},
    "events.apply": {"queue": "events"},
    "followups.call_due": {"queue": "sequence"},
    "upkeep.sweep": {"queue": "sequence"},
    "upkeep.tidy": {"queue": "sequence"},
}

_tick = _settings.tick_s


def _every(task: str, seconds: float) -> dict[str, object]:
    """A beat entry whose message is dropped when it is not taken within two ticks: the next one says the same."""
    return {"task": task, "schedule": seconds, "options": {"expires": max(2 * seconds, 1.0)}}


beat_schedule = {
    "call for the follow-ups that are due": _every("followups.call_due", _tick),
    "ring for work that nobody rang for, rescue what the dead left": _every("upkeep.sweep", _tick),
    "throw away what is past its keeping time": _every("upkeep.tidy", 600.0),
}
beat_max_loop_interval = min(_tick, 5.0)
