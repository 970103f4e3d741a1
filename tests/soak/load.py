"""What a soaking service is asked: by a rude crowd, by good clients that must be served, and by floods of datagrams.

This file must not know what is done to the service meanwhile.
"""

import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "process"))
import rude  # noqa: E402  the folder had to be named first
from clients import PROMPT, Datagram, Stream  # noqa: E402
from watch import SLOW  # noqa: E402

GOOD = "127.0.0.2"  # the address of those who behave
RUDE = [f"127.1.{i // 4}.{i}" for i in range(1, 13)]
FLOODERS = [f"127.{2 + i // 16}.{i % 16}.9" for i in range(64)]
FLOOD = 20  # datagrams of one flooder, at once
PATIENCE = 10  # seconds for one good conversation, whatever happens to workers meanwhile


class Good(threading.Thread):
    """Good clients, one after the other, in a context. One whose worker is killed, or that hears that the server is
    full, comes again; that it is served in the end is asserted."""

    def __init__(self, address, datagram_address, did):
        super().__init__(daemon=True)
        self._address, self._datagram_address, self._did = address, datagram_address, did
        self._over, self._error = threading.Event(), None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self._over.set()
        self.join(3 * PATIENCE * SLOW)
        if self._error:
            raise self._error
        assert kind is not None or not self.is_alive(), "a good client hangs"

    def run(self):
        try:
            while not self._over.wait(0.005):
                self._insist(self._converse, "conversations")
                self._insist(self._ask, "datagrams")
        except BaseException as error:  # for __exit__ to raise
            self._error = error

    def _insist(self, work, what):
        for _ in range(int(PATIENCE / 0.1)):
            if work():
                self._did[what] += 1
                return
            threading.Event().wait(0.1)
        raise AssertionError(f"a good client is not served: {work.__name__}")

    def _converse(self):
        with suppress(OSError), Stream(self._address, source=(GOOD, 0)) as client:
            if client.read(len(PROMPT)) == PROMPT:
                client.send(b"Alice\n")
                return client.read(14) == b"Hello, Alice!\n"
        return False

    def _ask(self):
        # What a killed worker had in its hands is lost, as datagrams may be.
        with suppress(AssertionError), Datagram(self._datagram_address, seconds=1) as client:
            return client.ask(b"Alice") == b"Hello, Alice!"
        return False


def flood(address, chance):
    """A burst of datagrams of all kinds, from many addresses, most of them too many."""
    kinds = (b"Bob", b"", b"\0", b"x" * 1400, b"Hello, Bob!", chance.randbytes(20), b"Zo\xc3\xab", b"Bob\n")
    sent = 0
    for source in chance.sample(FLOODERS, len(FLOODERS) // 2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flooder:
            flooder.bind((source, 0))
            for _ in range(FLOOD):
                with suppress(OSError):  # a full queue is theirs to suffer
                    flooder.sendto(chance.choice(kinds), socket.MSG_DONTWAIT, address)
                    sent += 1
    return sent


def rude_crowd(address, size, seconds, chance, did):
    """SIZE rude clients within SECONDS; each comes to an end."""
    crowd = rude.Crowd(address, size, RUDE, chance)
    crowd.run(arrive=seconds, seconds=seconds + 30)
    did["conversations"] += size
    did["fates"].update("refused" if client.refused else client.fate for client in crowd.clients)
