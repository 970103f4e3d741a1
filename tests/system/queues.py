"""Clients of a service that is not there for the moment: they wait in its sockets.

    with Queue(service) as queue:           # nobody is refused
        ...the service comes back...
        queue.expect_answers()              # each one is answered, once
"""

from contextlib import ExitStack

from clients import Datagram, Stream, greeting

HOSTS = ("127.0.0.1", "::1")
EACH = 20  # clients of each kind on each host


class Queue:
    """A context manager; leaving closes the clients."""

    def __init__(self, service, port=3288, kinds=("tcp", "udp")):
        self._stack = ExitStack()
        self._streams, self._datagrams = [], []
        places = [(host, port) for host in HOSTS for _ in range(EACH)]
        with service.machine.network():
            for place in places if "tcp" in kinds else []:
                self._streams.append(self._stack.enter_context(Stream(place, seconds=20)))
            for place in places if "udp" in kinds else []:
                self._datagrams.append(self._stack.enter_context(Datagram(place, seconds=20)))
        # Half of the streams have said something before anybody listens to them.
        for number, client in enumerate(self._streams[::2]):
            client.send(b"early %d\n" % number)
        for number, client in enumerate(self._datagrams):
            client.send(b"%d" % number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def expect_answers(self):
        for client in self._streams:
            client.greeted()
        for number, client in enumerate(self._streams[::2]):
            client.expect(greeting(b"early %d" % number) + b"\n")
        for client in self._streams:
            client.ask(b"late\n", greeting(b"late") + b"\n")
        for number, client in enumerate(self._datagrams):
            assert client.receive()[0] == greeting(b"%d" % number)
        assert all(client.quiet() for client in self._datagrams), "a datagram was answered twice"
