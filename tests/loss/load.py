#!/usr/bin/python3
"""Load whose every question is accounted for: `load.py JSON`, until standard input ends.

Three kinds of clients in one process:
 - short: a new connection with a whole conversation, which ends by a farewell or by the client's end of file;
 - long: a connection that asks now and then, and connects again when the server has ended it by a clean close;
 - datagram: questions with numbers, from several sockets, so that a missing, doubled, late or altered answer is told
   from every other. Nothing is ever asked twice.

JSON is an object: "stream", "datagram": lists of [host, port]; "conversations", "datagrams": how many a second in all;
"long": how many; "seed"; "silence": seconds after which a datagram's answer is late, or lost if it never comes;
"patience": seconds that a connection may wait for anything.

Writes one JSON object a line: {"what": "running"} when all kinds have been answered, then each incident at once, as
note() lays it out, last {"what": "end"} with the totals. Times are of the monotonic clock, which all processes share.

The load must not be what loses: its own socket buffers are large and checked at the end, it catches up on no more than
a few questions when it was held up itself, and what has arrived is read before anybody is called late.

This file must not know what is done to the server.
"""

import collections
import errno
import heapq
import itertools
import json
import os
import random
import re
import select
import socket
import sys
import time

PROMPT = b"What's your name?"
SOCKETS = 8  # of each datagram address
RECEIVE_BUFFER = 1 << 20
BURST = 8  # questions that a load which was held up asks at once
AFTERMATH_SECONDS = 0.3  # at the end, for answers that nobody has asked for
LOOK_SECONDS = 0.25  # how often the kernel is asked for what it has dropped
UNASKED, ASKED, ANSWERED, LOST, LATE = range(5)


class Trouble(Exception):
    """What no error of the system stands for: .args is (what, text)."""


def family_of(address):
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def what_of(error):
    """The name of an incident, for an exception on a socket."""
    if isinstance(error, Trouble):
        return error.args[0]
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return "reset"
    return "timeout" if error.errno == errno.ETIMEDOUT else "own"


class Load:
    """The loop, the clock and the books; .tally counts, .longest is the longest wait of each kind in seconds."""

    def __init__(self, plan):
        self.plan = plan
        self.random = random.Random(plan["seed"])
        self.tally = collections.Counter()
        self.longest = {}
        self.epoll = select.epoll()
        self.watched = {}  # descriptor to what is called when something happens there
        self.timers = []
        self.order = itertools.count()
        self.busy = 0  # tasks under way
        self.stopping = False

    def say(self, **fields):
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()

    def note(self, what, kind, asked, since=0.0, port=0, text="", count=1):
        """An incident: WHAT happened to a client of KIND that had ASKED then, was connected SINCE, from its PORT."""
        self.tally[what] += count
        now = time.monotonic()
        self.say(what=what, kind=kind, when=now, asked=asked, since=since, port=port, text=text, count=count)

    def waited(self, kind, asked):
        self.longest[kind] = max(self.longest.get(kind, (0, 0)), (time.monotonic() - asked, asked))

    def at(self, when, function):
        heapq.heappush(self.timers, (when, next(self.order), function))

    def watch(self, fd, function):
        """Calls FUNCTION at each change at FD (epoll's edges)."""
        self.watched[fd] = function
        self.epoll.register(fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def forget(self, fd):
        del self.watched[fd]
        self.epoll.unregister(fd)

    def every(self, rate, function):
        """Calls FUNCTION(number) RATE times a second until the load stops."""
        numbers = itertools.count()
        period = 1 / rate
        due = time.monotonic()

        def step():
            nonlocal due
            if self.stopping:
                return
            now = time.monotonic()
            due = max(due, now - BURST * period)
            while due <= now:
                function(next(numbers))
                due += period
            self.at(due, step)

        step()

    def run(self, is_over):
        """Until IS_OVER."""
        while not is_over():
            now = time.monotonic()
            wait = max(0, self.timers[0][0] - now) if self.timers else 1
            # What has arrived comes first, also after a time in which this process did not run.
            for fd, _ in self.epoll.poll(wait, 10000):
                if fd in self.watched:
                    self.watched[fd]()
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2]()


class Task:
    """Runs STEPS, a generator that yields how many seconds it wants to wait and is sent True when something happened,
    False when the time is over."""

    def __init__(self, load, steps):
        self.load, self.steps, self.turn = load, steps, 0
        load.busy += 1
        self.resume(None)

    def resume(self, value):
        self.turn += 1
        turn = self.turn
        try:
            seconds = self.steps.send(value)
        except StopIteration:
            self.load.busy -= 1
            return
        self.load.at(time.monotonic() + seconds, lambda: self.turn == turn and self.resume(False))

    def wake(self):
        self.resume(True)


class Connection:
    """A connection of a task. .asked is when it last began to wait for something."""

    def __init__(self, load, kind, address):
        self.load, self.kind, self.address = load, kind, address
        self.since = self.asked = time.monotonic()
        self.port = 0
        self.task = None
        self.socket = socket.socket(family_of(address), socket.SOCK_STREAM)
        self.socket.setblocking(False)

    def close(self):
        if self.task is not None:
            self.load.forget(self.socket.fileno())
        self.socket.close()

    def note(self, error):
        text = f"{self.address[0]}: {error.args[-1] if isinstance(error, Trouble) else error}"
        self.load.note(what_of(error), self.kind, self.asked, self.since, self.port, text)

    def open(self, task):
        """Connects, and hears the prompt."""
        result = self.socket.connect_ex(self.address)
        if result not in (0, errno.EINPROGRESS):
            raise OSError(result, os.strerror(result))
        self.port = self.socket.getsockname()[1]
        self.task = task
        self.load.watch(self.socket.fileno(), task.wake)
        while not select_writable(self.socket):
            yield from self.wait("to be connected")
        result = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if result != 0:
            raise OSError(result, os.strerror(result))
        yield from self.expect(PROMPT)

    def wait(self, what):
        left = self.asked + self.load.plan["patience"] - time.monotonic()
        if left <= 0 or not (yield left):
            raise Trouble("timeout", f"nothing within {self.load.plan['patience']} s: {what}")

    def received(self, size):
        """What is there of SIZE bytes: b"" at the end of file, None when nothing has come."""
        try:
            return self.socket.recv(size)
        except BlockingIOError:
            return None

    def has_ended(self):
        """Whether the end of file has come. Answers that wait stay unread."""
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False

    def expect(self, data):
        got = b""
        while len(got) < len(data):
            piece = self.received(len(data) - len(got))
            if piece is None:
                yield from self.wait(f"{data!r}")
                continue
            if not piece:
                raise Trouble("cut", f"ended after {got!r}, before {data!r}")
            got += piece
        if got != data:
            raise Trouble("altered", f"{got!r} instead of {data!r}")
        self.load.waited(self.kind, self.asked)

    def ask(self, name):
        self.asked = time.monotonic()
        self.load.tally[f"{self.kind} questions"] += 1
        self.socket.send(name + b"\n")
        # Between two questions the server may end a long connection. Who finds the end of file at once has asked too
        # late, and so may have others; how many there were, the server knows.
        if self.kind == "long" and self.has_ended():
            raise Trouble("crossed", f"the end was there before {name!r}")
        yield from self.expect(b"Hello, " + name + b"!\n")
        self.load.tally[f"{self.kind} answers"] += 1

    def expect_end(self):
        self.asked = time.monotonic()
        while (piece := self.received(1000)) is None:
            yield from self.wait("the end")
        if piece:
            raise Trouble("doubled" if piece.startswith(b"Hello, ") else "altered", f"{piece!r} instead of the end")


def select_writable(sock):
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return bool(poll.poll(0))


def started(load, steps):
    """Runs STEPS(task), which need to know their task."""
    box = []

    def generator():
        yield 0
        yield from steps(box[0])

    box.append(Task(load, generator()))


def short(load, number):
    """One conversation; the half of them say farewell, the others end by themselves."""
    addresses = load.plan["stream"]
    load.tally["conversations"] += 1

    def steps(task):
        connection = Connection(load, "short", addresses[number % len(addresses)])
        try:
            yield from connection.open(task)
            for question in range(1 + number // 2 % 3):
                yield from connection.ask(b"s%d.%d" % (number, question))
            if number // 4 % 2:
                # Not behind the end of a server that found this client silent: it would count that as a question.
                if not connection.has_ended():
                    connection.socket.send(b"disconnect\n")
            else:
                connection.socket.shutdown(socket.SHUT_WR)
            yield from connection.expect_end()
            load.tally["conversations ended well"] += 1
        except (OSError, Trouble) as error:
            connection.note(error)
        finally:
            connection.close()

    started(load, steps)


def long(load, number):
    """Connections one after the other."""
    addresses = load.plan["stream"]

    def steps(task):
        while not load.stopping:
            connection = Connection(load, "long", addresses[number % len(addresses)])
            try:
                yield from connection.open(task)
                load.tally["long connections"] += 1
                yield from talk(load, connection, number)
            except (OSError, Trouble) as error:
                connection.note(error)
            finally:
                connection.close()
            if not load.stopping:
                yield load.random.uniform(0.001, 0.05)

    started(load, steps)


def talk(load, connection, number):
    """Asks now and then, until the server or the load ends it. One in four talks nearly all the time, so that closes
    and questions meet."""
    pauses = (0.03,) if number % 4 == 0 else (0.3, 1, 1, 4)
    for question in itertools.count():
        until = time.monotonic() + load.random.choice(pauses) * load.random.uniform(0.1, 1.1)
        while (left := until - time.monotonic()) > 0 and not load.stopping:
            yield min(left, 0.5)
            piece = connection.received(1000)
            if piece is not None:
                break
        else:
            piece = connection.received(1000)
        if piece == b"":
            load.tally["long connections ended by a clean close"] += 1
            return
        if piece:
            raise Trouble("doubled" if piece.startswith(b"Hello, ") else "altered", f"{piece!r} unasked")
        if load.stopping:
            connection.socket.shutdown(socket.SHUT_WR)
            yield from connection.expect_end()
            return
        yield from connection.ask(b"l%d.%d" % (number, question))


class Datagrams:
    """One socket that asks and is answered."""

    def __init__(self, load, address, tag):
        self.load, self.tag = load, tag
        self.socket = socket.socket(family_of(address), socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.connect(address)
        self.port = self.socket.getsockname()[1]
        self.states = bytearray()
        self.times = []
        self.judged = 0  # up to here nobody is waited for
        self.pattern = re.compile(rb"Hello, %s\.(\d+)!" % tag)
        load.watch(self.socket.fileno(), self.receive)

    def note(self, what, asked, text):
        self.load.note(what, "datagram", asked, self.times[0] if self.times else asked, self.port, text)

    def ask(self):
        number = len(self.states)
        question = b"%s.%d" % (self.tag, number)
        self.states.append(ASKED)
        self.times.append(time.monotonic())
        self.load.tally["datagrams"] += 1
        try:
            try:
                self.socket.send(question)
            except ConnectionRefusedError as error:
                # That was an earlier one; this one has not been sent yet.
                self.note("refused", time.monotonic(), str(error))
                self.socket.send(question)
        except OSError as error:
            self.states[number] = UNASKED
            self.note("refused" if isinstance(error, ConnectionRefusedError) else "own", time.monotonic(), str(error))

    def receive(self):
        while True:
            try:
                answer = self.socket.recv(2048)
            except BlockingIOError:
                return
            except ConnectionRefusedError as error:
                self.note("refused", time.monotonic(), str(error))
                continue
            self.take(answer)

    def take(self, answer):
        match = self.pattern.fullmatch(answer)
        number = int(match[1]) if match else -1
        if not 0 <= number < len(self.states) or self.states[number] == UNASKED:
            self.note("altered", time.monotonic(), repr(answer[:100]))
            return
        asked, state = self.times[number], self.states[number]
        self.load.waited("datagram", asked)
        if state == ASKED:
            self.load.tally["datagrams answered"] += 1
            self.states[number] = ANSWERED
        elif state == LOST:
            # It was missed; now it is known to have been late.
            self.load.tally["lost"] -= 1
            self.states[number] = LATE
            self.note("late", asked, f"{answer!r} after {time.monotonic() - asked:.3f} s")
        else:
            self.note("doubled", asked, repr(answer))

    def judge(self, now):
        """Whoever has waited too long is lost, until the answer comes all the same."""
        while self.judged < len(self.states) and self.times[self.judged] + self.load.plan["silence"] <= now:
            if self.states[self.judged] == ASKED:
                self.states[self.judged] = LOST
                self.note("lost", self.times[self.judged], f"{self.tag.decode()}.{self.judged}")
            self.judged += 1

    def is_done(self):
        return ASKED not in self.states[self.judged :]


class Kernel:
    """What the kernel has dropped since the start: datagrams at the server's full sockets, and at ours; connections at
    its full queues."""

    def __init__(self, load, own):
        self.load = load
        self.ports = {port for _, port in load.plan["datagram"]}
        self.own = {str(os.fstat(one.socket.fileno()).st_ino) for one in own}
        self.seen = {}
        self.look(quietly=True)
        self.queue_full = self.listen_drops()

    def sockets(self):
        for path in ("/proc/net/udp", "/proc/net/udp6"):
            try:
                with open(path, encoding="ascii") as table:
                    for line in list(table)[1:]:
                        words = line.split()
                        yield int(words[1].rpartition(":")[2], 16), words[9], int(words[12])
            except FileNotFoundError:
                pass  # a system without IPv6

    def look(self, quietly=False):
        for port, inode, drops in self.sockets():
            if port not in self.ports and inode not in self.own:
                continue
            more = drops - self.seen.get(inode, 0)
            self.seen[inode] = drops
            if more > 0 and not quietly:
                what = "own" if inode in self.own else "overflow"
                self.load.note(what, "kernel", time.monotonic(), text=f"socket {inode} was full", count=more)

    def again(self):
        self.look()
        self.load.at(time.monotonic() + LOOK_SECONDS, self.again)

    def listen_drops(self):
        with open("/proc/net/netstat", encoding="ascii") as table:
            names, values = [line.split() for line in table if line.startswith("TcpExt:")]
        return int(values[names.index("ListenDrops")])

    def end(self):
        self.look()
        self.load.tally["handshakes put off by a full queue"] = self.listen_drops() - self.queue_full


def judge_all(load, datagrams):
    now = time.monotonic()
    for one in datagrams:
        one.judge(now)
    load.at(now + 0.1, lambda: judge_all(load, datagrams))


def main():
    plan = json.loads(sys.argv[1])
    for kind in ("stream", "datagram"):
        plan[kind] = [tuple(address) for address in plan[kind]]
    load = Load(plan)
    datagrams = [
        Datagrams(load, address, b"d%d.%d" % (which, number))
        for number in range(SOCKETS)
        for which, address in enumerate(plan["datagram"])
    ]
    kernel = Kernel(load, datagrams)
    for number in range(plan["long"]):
        long(load, number)
    if plan["stream"]:
        load.every(plan["conversations"], lambda number: short(load, number))
    if datagrams:
        load.every(plan["datagrams"], lambda number: datagrams[number % len(datagrams)].ask())
    judge_all(load, datagrams)
    kernel.again()
    load.watch(sys.stdin.fileno(), lambda: setattr(load, "stopping", True))
    wanted = {"conversations ended well": plan["stream"], "datagrams answered": datagrams, "long answers": plan["long"]}
    load.run(lambda: load.stopping or all(load.tally[name] or not part for name, part in wanted.items()))
    load.say(what="running")
    load.run(lambda: load.stopping)
    load.run(lambda: load.busy == 0 and all(one.is_done() for one in datagrams))
    until = time.monotonic() + AFTERMATH_SECONDS
    load.at(until, lambda: None)
    load.run(lambda: time.monotonic() >= until)
    kernel.end()
    load.say(what="end", tally=load.tally, longest=load.longest)


if __name__ == "__main__":
    main()
