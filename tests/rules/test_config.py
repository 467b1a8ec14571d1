"""Celery's configuration holds what reliability needs (rules R18, R19)."""

from typing import Any

from settings import Settings
from tests.rules.conftest import CONF

TRANSPORT = {
    "visibility_timeout": 900,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
EXPECTED = {
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_ignore_result": True,
    "result_backend": None,
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_create_missing_queues": False,
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_max_tasks_per_child": 1000,
    "enable_utc": True,
}


def default(name: str) -> float:
    return float(Settings.model_fields[name].default)


def test_the_broker_is_used_as_measured(celery_config: Any) -> None:
    assert celery_config.broker_transport_options == TRANSPORT


def test_a_worker_runs_with_what_the_file_says(worker: Any) -> None:
    assert set(CONF) == EXPECTED.keys()
    assert worker["conf"] == EXPECTED


def test_no_running_task_is_ever_given_out_a_second_time(celery_config: Any) -> None:
    """The broker gives a message out again after its visibility timeout; by then its task has ended or was ended."""
    visible_s = celery_config.broker_transport_options["visibility_timeout"]
    longest_s = default("smtp_dot_timeout_s") + default("drain_slice_s")
    assert longest_s < celery_config.task_time_limit < visible_s


def test_a_relay_may_take_as_long_as_the_standard_lets_it() -> None:
    assert default("smtp_dot_timeout_s") >= 600  # RFC 5321, 4.5.3.2.6
    assert default("smtp_command_timeout_s") >= 300  # RFC 5321, 4.5.3.2
    assert default("in_doubt_after_s") > default(
        "smtp_dot_timeout_s"
    )  # R11: never decided while the server may still answer


def test_a_lease_outlives_several_looks_and_a_slice() -> None:
    assert default("lease_s") > 4 * max(default("tick_s"), default("drain_slice_s"))


def test_a_stop_ends_within_the_grace_that_docker_gives() -> None:
    assert default("drain_slice_s") <= 10  # R18


def test_temporary_refusals_are_retried_as_long_as_mail_servers_expect() -> None:
    minutes = Settings.model_fields["retry_minutes"].default
    assert minutes[0] >= 5 and list(minutes) == sorted(minutes) and default("retry_for_hours") >= 72  # R17


def test_the_beat_looks_as_often_as_the_tick_asks(celery_config: Any) -> None:
    assert celery_config.beat_max_loop_interval <= 5.0  # R4: a tick of 1 to 5 s is kept
