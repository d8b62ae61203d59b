"""What is sent to the broker, and what it may bring about."""

import json
import ssl
from collections.abc import Iterator

import pytest
from kombu import Connection

from pacs.config import BrokerConfig
from pacs.errors import Unavailable
from pacs.outbox.deliveries import Note
from pacs.worker import probe
from pacs.worker.app import make_app
from pacs.worker.link import address
from pacs.worker.post import Post
from tests.support.redis_server import RedisServer

NOTES = [Note(7, 0), Note(8, 2)]


@pytest.fixture
def settings(redis: RedisServer) -> Iterator[BrokerConfig]:
    yield BrokerConfig(redis.url, prefix="letters")
    with redis.client() as client:
        for key in client.keys("letters.*"):
            client.delete(key)


def post(settings: BrokerConfig, *, listening: bool = True) -> Post:
    return Post(settings, ["picture", "model"], lambda: listening)


def test_a_message_names_a_delivery_and_nothing_else(settings: BrokerConfig, redis: RedisServer) -> None:
    sender = post(settings)
    assert sender.ask("picture")
    sender.send("picture", NOTES)
    with redis.client() as client:
        raw = [json.loads(text) for text in client.lrange("letters.picture", 0, -1)]
        assert client.llen("letters.model") == 0
    assert [message["headers"]["task"] for message in raw] == ["hilum.picture"] * 2
    assert {message["headers"]["argsrepr"] for message in raw} == {"(7, 0)", "(8, 2)"}
    assert all(message["content-type"] == "application/json" for message in raw)
    assert not sender.is_away("picture")


def test_a_queue_that_nobody_empties_counts_as_away(settings: BrokerConfig) -> None:
    sender = post(settings)
    assert sender.ask("model")
    sender.send("model", [Note(number, 0) for number in range(1, 201)])
    assert not sender.ask("model")
    assert sender.is_away("model")
    assert sender.ask("picture")
    assert not sender.is_away("picture")


def test_nothing_is_sent_by_who_would_not_get_it(settings: BrokerConfig) -> None:
    sender = post(settings, listening=False)
    assert not sender.ask("picture")
    assert sender.is_away("picture")


@pytest.mark.parametrize("wrong", ["redis://127.0.0.1:1/0", "password"])
def test_without_the_broker_sending_fails_at_once(redis: RedisServer, wrong: str) -> None:
    url = redis.url.replace("test-s3cret", "other") if wrong == "password" else wrong
    sender = post(BrokerConfig(url))
    assert not sender.is_away("picture"), "not known before it is asked"
    assert not sender.ask("picture")
    assert sender.is_away("picture")
    with pytest.raises(Unavailable, match="away"):
        sender.send("picture", NOTES)
    assert not probe.answers(url)
    assert probe.answers(redis.url)


def test_there_is_no_task_but_ours() -> None:
    app = make_app(BrokerConfig("redis://h/0"), ["picture"], lease_s=600.0)
    assert dict(app.tasks) == {}
    conf = app.conf
    assert (conf.accept_content, conf.task_serializer, conf.result_backend) == (["json"], "json", None)
    assert not conf.worker_enable_remote_control
    assert conf.broker_transport_options["visibility_timeout"] > 600


def test_over_tls_the_broker_proves_who_it_is() -> None:
    assert Connection(address("rediss://:pw@h/0")).ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    assert address("rediss://h/0?a=b").endswith("?a=b&ssl_cert_reqs=required")
    for url in ("redis://h/0", "rediss://h/0?ssl_cert_reqs=none", "redis+socket:///run/redis.sock"):
        assert address(url) == url
