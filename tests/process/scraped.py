"""Metrics as a monitoring system gets them: by HTTP from `helloctl metrics --http`, which a service manager would start for
each connection; and taken apart.

This file must not know which metrics there are.
"""

import http.client
import io
import os
import re
import socket
import subprocess
import threading
from contextlib import contextmanager

from controlled import command
from hellodtest import SICK
from watch import SLOW

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
NAME = r"[a-z_][a-z0-9_]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:{NAME}="(?:[^"\\]|\\["\\])*",?)+)\}})? (\d+(?:\.\d+)?)')
ABOUT = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.+)")


class Metrics:
    """A TEXT in one of the two forms: .about by (TYPE, UNIT or HELP, name), .samples by name: a list of (labels, number).
    Each family's lines must be together."""

    def __init__(self, text):
        assert text.endswith("\n")
        self.about, self.samples = {}, {}
        last = None
        for line in text.splitlines():
            if line == "# EOF":
                continue
            if about := ABOUT.fullmatch(line):
                what, name, words = about.groups()
                assert (what, name) not in self.about, line
                self.about[what, name] = words
                continue
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            name, labels, number = sample.groups()
            assert name == last or name not in self.samples or name.endswith(("_bucket", "_count", "_sum")), f"{line}: not together"
            last = name
            labels = dict(re.findall(rf'({NAME})="((?:[^"\\]|\\.)*)"', labels or ""))
            known = [others for others, _ in self.samples.setdefault(name, [])]
            assert labels not in known, f"{line}: twice"
            self.samples[name].append((labels, float(number)))

    def one(self, name, **labels):
        """The number of the one sample of NAME with LABELS among its labels."""
        (number,) = self.all(name, **labels)
        return number

    def all(self, name, **labels):
        return [number for its, number in self.samples[name] if labels.items() <= its.items()]


def pair():
    """Two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        return client, server.accept()[0]


@contextmanager
def asked(control):
    """Somebody who has just connected: his end of the connection, and the helloctl at the other one, which must end well."""
    client, served = pair()
    client.settimeout(30 * SLOW)
    with client, served:
        words = command("-s", control, "metrics", "--http")
        process = subprocess.Popen(words, stdin=served, stdout=served, stderr=subprocess.PIPE, text=True)
        served.close()
        try:
            yield client, process
            said = process.communicate(timeout=30 * SLOW)[1]
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
    assert process.returncode == 0 and not SICK.search(said), said


class Answer:
    """What a client got until the end: .status, .headers, .body."""

    def __init__(self, client, method="GET"):
        data = b""
        while piece := client.recv(65536):
            data += piece
        self.raw = data

        class Already:
            def makefile(self, _mode):
                return io.BytesIO(data)

        response = http.client.HTTPResponse(Already(), method=method)
        response.begin()
        self.status, self.headers, self.body = response.status, response.headers, response.read().decode()


def scrape(control, request=b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", **how):
    with asked(control) as (client, _):
        client.sendall(request)
        return Answer(client, **how)


class Server:
    """hellod-metrics.socket without systemd: at .port of 127.0.0.1, a helloctl for each connection, until the block ends."""

    def __init__(self, control):
        self._command = command("-s", control, "metrics", "--http")

    def __enter__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def _serve(self):
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                subprocess.run(self._command, stdin=client, stdout=client, stderr=subprocess.DEVNULL, check=False, env=os.environ)

    def __exit__(self, *_):
        # A thread that waits in accept() is not woken by close().
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
