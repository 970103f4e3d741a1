"""A client of the control socket, byte by byte if wanted, and what the answer to "status" says.

    with Control(path) as control:
        lines = control.done("status")              # asserts that the last line is "ok"
        assert control.ask("reload").last == "ok"

This file must not know how the daemon is started, nor helloctl.
"""

import re
import select
import socket

from watch import SLOW, wait_until

VERSION = "1"
PAIR = re.compile(r' (\w+)=("(?:[^"\\]|\\["\\]|\\x[0-9a-f]{2})*"|[^\s"]+)')


class Reply:
    """What came for one command: .lines, and .last, which is "ok" or "failed TEXT"."""

    def __init__(self, lines):
        self.lines, self.last = lines[:-1], lines[-1]

    def __repr__(self):
        return "\n".join([*self.lines, self.last])

    @property
    def errors(self):
        """The texts of the lines "error TEXT"."""
        return [line.partition(" ")[2] for line in self.lines if line.startswith("error ")]


class Control:
    """One connection; a context manager whose every operation has a deadline."""

    def __init__(self, path, seconds=5):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._got = b""
        try:
            self.socket.settimeout(seconds * SLOW)
            wait_until(lambda: self._connected(str(path)), seconds, f"room in the queue of {path}")
        except BaseException:
            self.socket.close()
            raise

    def _connected(self, path):
        try:
            self.socket.connect(path)
        except BlockingIOError:  # with a time limit connect() does not wait for room in the queue
            return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Sends the bytes DATA as they are."""
        self.socket.sendall(data)

    def line(self):
        """The next line, without its newline; None at end of file."""
        while b"\n" not in self._got:
            piece = self.socket.recv(65536)
            if not piece:
                assert not self._got, f"end of file in the middle of a line: {self._got!r}"
                return None
            self._got += piece
        line, _, self._got = self._got.partition(b"\n")
        return line.decode("utf-8")

    def reply(self):
        """The reply that is due next."""
        lines = []
        while not lines or not re.match(r"ok$|failed .", lines[-1]):
            lines.append(self.line())
            assert lines[-1] is not None, f"end of file instead of the end of a reply: {lines[:-1]}"
        return Reply(lines)

    def ask(self, command):
        """Sends COMMAND and returns the reply."""
        self.send(f"{VERSION} {command}\n".encode())
        return self.reply()

    def done(self, command):
        """Sends COMMAND, asserts that it succeeds, and returns the reply's other lines."""
        reply = self.ask(command)
        assert reply.last == "ok", reply
        return reply.lines

    def is_over(self):
        """Waits for the end of the connection; a reset counts, whatever else comes does not."""
        try:
            return self.line() is None
        except ConnectionResetError:
            return True

    def quiet(self):
        """True if nothing, not even an end of file, has arrived."""
        return not self._got and not select.select([self.socket], [], [], 0)[0]


def value(text):
    """A value of a status line: a number, true or false, or a text in quotes."""
    if text.startswith('"'):
        unescape = lambda match: chr(int(match[1][1:], 16)) if match[1][0] == "x" else match[1]
        raw = re.sub(r'\\(x[0-9a-f]{2}|["\\])', unescape, text[1:-1])
        return raw
    return {"true": True, "false": False}[text] if text in ("true", "false") else int(text)


def parsed(line):
    """A status line as its word and a dict; asserts that it has that form."""
    word, rest = re.match(r"(\w+)(.*)$", line).groups()
    pairs = PAIR.findall(rest)
    assert "".join(f" {name}={text}" for name, text in pairs) == rest, line
    return word, {name: value(text) for name, text in pairs}


class Status:
    """The answer to "status": .service and .reload (dicts), .listeners and .workers (lists of dicts), .counters (name
    to number)."""

    def __init__(self, lines):
        rows = [parsed(line) for line in lines]
        (self.service,) = [row for word, row in rows if word == "service"]
        (self.reload,) = [row for word, row in rows if word == "reload"]
        self.listeners = [row for word, row in rows if word == "listener"]
        self.workers = [row for word, row in rows if word == "worker"]
        self.counters = {row["name"]: row["value"] for word, row in rows if word == "counter"}

    @property
    def generations(self):
        """The generations that have a worker, oldest first."""
        return sorted({worker["generation"] for worker in self.workers})

    def __repr__(self):
        return f"{self.service} {self.reload} {self.workers}"
