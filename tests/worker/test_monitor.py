"""Flower's pages, on its own application: every queue with its length, and each task with its purpose."""

import asyncio
import json
import re
from collections.abc import Iterator
from time import time

import pytest
import redis
from celery import Celery
from flower.app import Flower
from flower.urls import settings as flower_settings
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop

from local import ports
from worker import monitor
from worker.tasks import sending, ticks


@pytest.fixture
def flower(ledger: str, broker: str) -> Iterator[Flower]:
    """Flower without any worker, as in the first minute or while all of them are stopped."""
    fresh = Celery("monitor", set_as_current=False)
    fresh.config_from_object("celery_config")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    application = Flower(capp=fresh, options=monitor.options, io_loop=IOLoop.current(), **flower_settings)
    yield application
    application.executor.shutdown(wait=False)
    loop.close()
    asyncio.set_event_loop(None)


def page(flower: Flower, path: str) -> str:
    async def fetch() -> str:
        server, port = HTTPServer(flower), ports.free()
        server.listen(port, "127.0.0.1")
        try:
            answer = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}{path}", request_timeout=10)
            return answer.body.decode()
        finally:
            server.stop()

    return asyncio.get_event_loop().run_until_complete(fetch())


def test_every_queue_is_shown_with_its_length_also_without_a_worker(flower: Flower, broker: str) -> None:
    with redis.Redis.from_url(broker) as client:
        client.flushdb()
        client.rpush("campaign", "a", "b")
        rows = re.findall(r'<tr id="(\w+)">.*?column">(\d+)</td>', page(flower, "/broker"), re.DOTALL)
        client.delete("campaign")
    assert rows == [("transactional", "0"), ("campaign", "2"), ("events", "0"), ("imports", "0"), ("sequence", "0")]


def test_a_task_says_what_it_does(flower: Flower) -> None:
    heading = page(flower, "/tasks")
    assert re.findall(r'data-column="\w+">(\w+)<', heading)[:2] == ["Name", "Does"]
    event = {"type": "task-received", "uuid": "a", "name": "sending.deliver_campaign", "hostname": "bulk@host"}
    flower.events.state.event(event | {"timestamp": time(), "local_received": time(), "clock": 1})
    [task] = json.loads(page(flower, "/tasks/datatable?draw=1&start=0&length=10&order[0][column]=0"))["data"]
    assert task["args"] == "Send due e-mails of the campaign lane"


def test_ticks_are_not_shown_as_two_a_second_would_hide_all_else(ledger: str) -> None:
    assert not any(task.send_events for task in (ticks.call_due, ticks.sweep, ticks.tidy, ticks.refresh_figures))
    assert sending.deliver_campaign.send_events
