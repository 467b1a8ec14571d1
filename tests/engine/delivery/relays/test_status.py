"""The status of relays: published by each sender, without addresses, and logged when a breaker opens."""

import time

import pytest
from redis import Redis

from engine.delivery.relays import status
from engine.delivery.relays.redis_store import Store
from tests.engine.delivery.relays.network import Network, answering, send


def test_each_sender_publishes_the_status_of_its_relays(
    network: Network, broker: str, caplog: pytest.LogCaptureFixture
) -> None:
    refusing = network.server(answering("BANNER", b"554 5.7.1 user@host.example is not welcome"))
    works = network.server()
    relays = network.relays(refusing.url, works.url, redis=broker)
    for _ in range(8):
        send(relays)
        time.sleep(0.06)
    refusing_name, working_name = (url.removeprefix("smtp://") for url in (refusing.url, works.url))
    server = Redis.from_url(broker)
    server.config_resetstat()
    statuses = status.read(Store(broker))
    assert "cmdstat_scan" not in server.info("commandstats")  # which visits all keys of the broker
    assert [(each.state, each.why) for each in statuses[working_name]] == [("closed", "")]
    (refused,) = statuses[refusing_name]
    assert refused.state == "open" and "it refused the connection" in refused.why
    assert "host.example" not in refused.why
    (line,) = [record.getMessage() for record in caplog.records if record.name == "cadencia.relays"]
    assert line.startswith(f"relay_open relay={refusing_name} why=")
    assert "host.example" not in line
