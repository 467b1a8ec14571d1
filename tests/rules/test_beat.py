"""Tasks, queues, bells and the beat schedule fit together."""

from typing import Any

from engine import bell


def test_every_beat_entry_names_a_task(celery_config: Any, worker: Any) -> None:
    wanted = {entry["task"] for entry in celery_config.beat_schedule.values()}
    assert wanted and wanted <= worker["tasks"].keys()


def test_no_beat_entry_expires_by_the_clock_of_another_machine(celery_config: Any) -> None:
    for name, entry in celery_config.beat_schedule.items():
        assert entry["schedule"] > 0 and not entry.get("options"), name


def test_every_task_is_routed_to_a_queue_and_every_route_names_a_task(celery_config: Any, worker: Any) -> None:
    assert celery_config.task_routes.keys() == worker["tasks"].keys()
    assert {route["queue"] for route in celery_config.task_routes.values()} == set(celery_config.QUEUES)
    assert [queue.name for queue in celery_config.task_queues] == list(celery_config.QUEUES)
    assert celery_config.task_default_queue in celery_config.QUEUES


def test_every_bell_rings_in_the_queue_its_task_is_routed_to(celery_config: Any) -> None:
    assert bell.BELLS.keys() == set(celery_config.QUEUES)
    for queue, task in bell.BELLS.items():
        assert celery_config.task_routes[task]["queue"] == queue


def test_every_task_says_what_happens_when_it_runs_twice(worker: Any) -> None:
    for name, task in worker["tasks"].items():
        assert "twice at once" in task["doc"].lower(), name


def test_a_task_takes_no_arguments(worker: Any) -> None:
    assert {name: task["arguments"] for name, task in worker["tasks"].items() if task["arguments"]} == {}  # R20
