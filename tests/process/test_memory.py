"""What connections cost in memory, and that it is given back."""

from clients import PROMPT
from configs import GREETING, HELLO
from hellodtest import Hellod
from watch import private_bytes, wait_until
from workers import measures, memory, room_for, settled

LINES = {**GREETING, "framing": "line"}

# Design: bytes of user memory for an idle connection, and a worker's private memory without its connections.
IDLE_CONNECTION = 256
WORKER = 500_000

pytestmark = measures


def held(pid):
    """User memory of PID that a connection could have made grow: its own, and what it shares with its siblings."""
    return memory(pid, "Pss_Anon", "Pss_Shmem")


def sources(count):
    """COUNT addresses, each in a prefix of its own."""
    return [f"127.{1 + i // 250}.{1 + i % 250}.1" for i in range(count)]


def test_idle_connection():
    count = room_for(4000)
    # No source is exempt, and each is alone in its prefix: the table of sources holds as much as it can.
    config = {"workers": 1, "listen": [LINES], "exempt": [], "limits": {"connections": count, "idle_timeout": 600.0}}
    with Hellod(config) as daemon:
        (worker,) = daemon.workers()
        with daemon.connect() as client:
            assert client.exchange(b"Bob\n") == PROMPT + b"Hello, Bob!\n"
        settled(daemon)
        before = held(worker)
        clients = []
        for i, source in enumerate(sources(count)):
            clients.append(daemon.connect(source=(source, 0)).greeted())
            if i % 2:
                clients[-1].ask(b"Bob\n", b"Hello, Bob!\n")
        settled(daemon, live=count)
        cost = (held(worker) - before) / count
        print(f"an idle connection costs {cost:.0f} bytes ({count} connections from as many networks)")
        assert 0 < cost <= IDLE_CONNECTION
        for client in clients:
            client.close()
        settled(daemon)
        # The places are used again: coming and going does not grow.
        after = held(worker)
        clients = [daemon.connect(source=(source, 0)).greeted() for source in reversed(sources(count))]
        assert held(worker) - after <= 16 * 1024
        for client in clients:
            client.close()


def test_private_memory_of_a_worker():
    with Hellod({"listen": [LINES, HELLO]}) as daemon:
        count = 100
        clients = [daemon.connect() for _ in range(count)]
        for client in clients:
            assert client.exchange(b"Bob\n" * 500) == PROMPT + b"Hello, Bob!\n" * 500
        with daemon.datagrams() as client:
            for _ in range(20):
                for _ in range(50):
                    client.send(b"n" * 1024)
                for _ in range(50):
                    client.receive()
        settled(daemon)
        figures = [private_bytes(pid) for pid in daemon.workers()]
        print("private memory after work of all kinds:", figures)
        assert max(figures) <= WORKER + count * IDLE_CONNECTION


def test_memory_of_pending_answers_is_given_back():
    # Names in pieces, so that each connection has a buffer: the first half of each is what the server has to keep.
    count = room_for(400)
    with Hellod({"workers": 1, "listen": [LINES]}) as daemon:
        (worker,) = daemon.workers()
        clients = [daemon.connect().greeted() for _ in range(count)]
        settled(daemon, live=count)
        before = private_bytes(worker)
        for client in clients:
            client.send(b"n" * 500)
        wait_until(lambda: private_bytes(worker) - before > count * 2048, 5, "every connection to have a buffer")
        print(f"{(private_bytes(worker) - before) / count:.0f} bytes for a connection with half a name")
        # Some finish, some go in the middle.
        for client in clients[::2]:
            client.ask(b"\n", b"Hello, " + b"n" * 500 + b"!\n")
        for client in clients[1::4]:
            client.reset()
        for client in clients[3::4]:
            client.close()
        # Now and then, that is when there is nothing else to do.
        wait_until(lambda: private_bytes(worker) - before < 64 * 1024, 10, "the memory to be given back")
        for client in clients[::2]:
            client.ask(b"Bob\n", b"Hello, Bob!\n")
            client.close()


def test_limits_that_are_not_used_cost_nothing():
    # Memory for connections is taken at start but touched when used.
    count = room_for(15000, spare=500)
    figures = []
    for connections in (100, count):
        with Hellod({"workers": 1, "listen": [LINES], "limits": {"connections": connections}}) as daemon:
            (worker,) = daemon.workers()
            daemon.connect().greeted().close()
            settled(daemon)
            figures.append(held(worker))
    print(f"100 connections: {figures[0]} bytes, {count} connections: {figures[1]} bytes")
    assert figures[1] - figures[0] <= 64 * 1024
