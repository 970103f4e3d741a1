#!/usr/bin/python3
"""A server that loses on purpose: `lossy.py JSON`, until standard input ends. What finds no loss here finds none.

JSON is an object: "port", and for each fault how often: "drop": 100 leaves every hundredth datagram without an answer.
Others for datagrams: "double", "alter", "delay" (answers after "late" seconds); for connections: "reset", "cut" (ends
instead of the first answer), "ignore" (never answers), "garble", "repeat" (an answer too many at the end). "deaf":
whenever so many seconds have passed, nobody listens for 0.1 s; "asleep": likewise, the socket for datagrams, which gets
little room then, is not read for 0.3 s.

At the end it writes how often it did each of these things: a JSON object. This file must not know who asks, or how
losses are found.
"""

import collections
import json
import select
import socket
import struct
import sys
import time

PROMPT = b"What's your name?"
HOST = "127.0.0.1"
DEAF_SECONDS, ASLEEP_SECONDS = 0.1, 0.3
LITTLE_ROOM = 4096


class Lossy:
    def __init__(self, faults):
        self.faults, self.did = faults, collections.Counter()
        self.asked, self.accepted = 0, 0
        self.later = []  # (time, answer, to)
        self.streams = {}  # descriptor to (socket, what is done to it)
        self.poll = select.poll()
        self.datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagram.bind((HOST, faults["port"]))
        self.datagram.setblocking(False)
        self.poll.register(self.datagram, select.POLLIN)
        self.poll.register(sys.stdin, select.POLLIN)
        self.listen()

    def listen(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((HOST, self.faults["port"]))
        self.listener.listen(1000)
        self.listener.setblocking(False)
        self.poll.register(self.listener, select.POLLIN)

    def deaf(self):
        self.accept_all()  # or those in the queue would be reset, too
        self.poll.unregister(self.listener)
        self.listener.close()
        time.sleep(DEAF_SECONDS)
        self.listen()

    def asleep(self):
        self.datagram.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE_ROOM)
        time.sleep(ASLEEP_SECONDS)

    def fault(self, number, *names):
        """The fault of NAMES that is due at NUMBER, counting from 1."""
        for name in names:
            if self.faults.get(name) and number % self.faults[name] == 0:
                self.did[name] += 1
                return name
        return None

    def answer_datagrams(self):
        while True:
            try:
                question, source = self.datagram.recvfrom(2048)
            except BlockingIOError:
                return
            self.asked += 1
            answer = b"Hello, " + question + b"!"
            fault = self.fault(self.asked, "drop", "double", "alter", "delay")
            if fault == "delay":
                self.later.append((time.monotonic() + self.faults["late"], answer, source))
            elif fault != "drop":
                self.datagram.sendto(answer.upper() if fault == "alter" else answer, source)
            if fault == "double":
                self.datagram.sendto(answer, source)

    def accept_all(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except BlockingIOError:
                return
            self.accepted += 1
            self.streams[stream.fileno()] = stream, self.fault(
                self.accepted, "reset", "cut", "ignore", "garble", "repeat"
            )
            self.poll.register(stream, select.POLLIN)
            stream.sendall(PROMPT)

    def close(self, stream):
        self.poll.unregister(stream)
        del self.streams[stream.fileno()]
        stream.close()

    def converse(self, fd):
        stream, fault = self.streams[fd]
        try:
            lines = stream.recv(65536)
        except ConnectionResetError:
            lines = b""
        if not lines or lines.startswith(b"disconnect") or fault in ("reset", "cut"):
            if fault == "reset":
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if fault == "repeat":
                stream.sendall(b"Hello, again!\n")
            self.close(stream)
        elif fault != "ignore":
            for line in lines.splitlines():
                stream.sendall(b"Hello, " + (line.upper() if fault == "garble" else line) + b"!\n")

    def run(self):
        due = time.monotonic()
        pauses = [what for what in ("deaf", "asleep") if what in self.faults]
        while True:
            ready = {fd for fd, _ in self.poll.poll(20)}
            if sys.stdin.fileno() in ready:
                return
            if self.datagram.fileno() in ready:
                self.answer_datagrams()
            for fd in ready & set(self.streams):
                self.converse(fd)
            if self.listener.fileno() in ready:
                self.accept_all()
            now = time.monotonic()
            while self.later and self.later[0][0] <= now:
                self.datagram.sendto(*self.later.pop(0)[1:])
            for what in pauses:
                if due + self.faults[what] <= now:
                    getattr(self, what)()
                    due = time.monotonic()


def main():
    lossy = Lossy(json.loads(sys.argv[1]))
    print("listening", flush=True)
    lossy.run()
    print(json.dumps(lossy.did), flush=True)


if __name__ == "__main__":
    main()
