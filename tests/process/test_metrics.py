"""`helloctl metrics`: on standard output, and as the answer to all kinds of HTTP requests."""

import re
import socket
import subprocess

import pytest

from configs import GREETING, HELLO
from controlled import Control, command, helloctl, listener, status
from hellodtest import EXIT_OK, TREE
from monitoring import alerts, names, panels
from reloads import Service, converse
from scraped import OPENMETRICS, PLAIN, Answer, Metrics, asked, pair, scrape
from watch import SLOW
from workers import settled

EXIT_NOBODY, EXIT_STRANGE = 69, 76
FULL = status(listener("greeting", "tcp 0.0.0.0:3288"))
GET = b"GET /metrics HTTP/1.1\r\nHost: h\r\n"
# What Prometheus sends.
ACCEPT = b"Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\r\n"


@pytest.fixture
def control(folder):
    with Control(folder, FULL) as control:
        yield control.path


# ---- what it says ----


def test_of_a_service():
    with Service({"listen": [GREETING, HELLO]}) as service:
        converse(service)
        settled(service)
        done = helloctl("-s", service.control_path, "metrics")
        told = service.status()
    assert (done.returncode, done.stderr) == (EXIT_OK, "")
    text = done.stdout.decode()
    assert text.endswith("# EOF\n")
    metrics = Metrics(text)
    assert metrics.one("hellod_healthy") == 1
    assert metrics.one("hellod_last_reload_ok") == 1
    assert metrics.one("hellod_workers_ready") == told.service["ready"]
    assert len(metrics.all("hellod_socket_info", listener="greeting", protocol="greeting")) == 1
    answers = told.counters["answers"] + told.counters["datagram_answers"]
    assert sum(metrics.all("hellod_slot_answers_total")) == answers == 2
    # Each has a type and says what it is.
    names = {name for what, name in metrics.about if what == "TYPE"}
    assert names == {name for what, name in metrics.about if what == "HELP"}
    ending = re.compile(r"_(total|info|bucket|count|sum)$")
    assert {ending.sub("", name) for name in metrics.samples} <= names


def test_nobody_and_nonsense(folder):
    done = helloctl("-s", folder / "none", "metrics")
    assert (done.returncode, done.stdout) == (EXIT_NOBODY, b"")
    with Control(folder, b"weather\nok\n") as control:
        done = helloctl("-s", control.path, "metrics")
    assert (done.returncode, done.stdout) == (EXIT_STRANGE, b"")


# ---- by HTTP ----


def test_the_form_is_chosen(control):
    plain, open_metrics = scrape(control), scrape(control, GET + ACCEPT)
    assert plain.headers["Content-Type"] == PLAIN and "# EOF" not in plain.body
    assert open_metrics.headers["Content-Type"] == OPENMETRICS and open_metrics.body.endswith("# EOF\n")
    for answer in (plain, open_metrics):
        assert answer.status == 200 and Metrics(answer.body).one("hellod_healthy") == 1
        assert int(answer.headers["Content-Length"]) == len(answer.body.encode())
        assert answer.headers["Connection"] == "close"
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["Date"])


def test_head(control):
    page = scrape(control)
    head = scrape(control, b"HEAD /metrics HTTP/1.0\r\n\r\n", method="HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, page.headers["Content-Length"])
    assert head.raw.endswith(b"\r\n\r\n") and head.raw.count(b"\r\n\r\n") == 1
    missing = scrape(control, b"HEAD / HTTP/1.0\r\n\r\n", method="HEAD")
    assert missing.status == 404 and missing.raw.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "request_bytes, status",
    [
        (b"GET / HTTP/1.0\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.0\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/3.0\r\n\r\n", 505),
        (GET + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431),
    ],
    ids=str,
)
def test_other_requests(folder, request_bytes, status):
    """They do not trouble the service."""
    with Control(folder, FULL) as control:
        answer = scrape(control.path, request_bytes)
    assert answer.status == status and answer.body.startswith(f"{status} ") and control.asked == []
    assert answer.headers["Allow"] == ("GET, HEAD" if status == 405 else None)


def test_nobody_to_ask(folder):
    with asked(folder / "none") as (client, process):
        client.sendall(GET + b"\r\n")
        assert Answer(client).status == 503
        assert "there is no such socket" in process.stderr.read()


def test_in_pieces(control):
    with asked(control) as (client, _):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GET + b"\r\n":
            client.sendall(bytes([byte]))
        assert Answer(client).status == 200


def test_what_comes_behind_does_not_destroy_the_answer(control):
    """A connection that is closed with unread data in it is reset, and what was on its way is lost."""
    with asked(control) as (client, _):
        client.sendall(b"POST /metrics HTTP/1.0\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000)
        client.shutdown(socket.SHUT_WR)
        assert Answer(client).status == 405


def test_who_leaves(control):
    for sent in (b"", b"GET /met", GET + b"\r\n"):
        with asked(control) as (client, _):
            client.sendall(sent)
            client.close()


def test_who_sends_half(control):
    with asked(control) as (client, _):
        client.sendall(b"GET /met")
        client.shutdown(socket.SHUT_WR)
        assert Answer(client).status == 400


def test_who_says_nothing(control):
    with asked(control) as (client, _):
        client.sendall(b"GET /metrics HTTP/1.0\r\n")
        assert Answer(client).status == 408


def test_who_does_not_read(folder):
    """He has so much time as he may take, and then it ends."""
    many = status(*(listener(f"name{n}", f"tcp 127.0.0.1:{n}") for n in range(9000)))
    with Control(folder, many) as control:
        client, served = pair()
        with client, served:
            for end, option in ((client, socket.SO_RCVBUF), (served, socket.SO_SNDBUF)):
                end.setsockopt(socket.SOL_SOCKET, option, 4096)
            client.sendall(GET + b"\r\n")
            words = command("-s", control.path, "metrics", "--http")
            assert subprocess.run(words, stdin=served, stdout=served, timeout=30 * SLOW, check=False).returncode == 0


def test_in_a_pipe(control):
    words = command("-s", control, "metrics", "--http")
    done = subprocess.run(words, input=GET + b"\r\n", capture_output=True, timeout=20 * SLOW, check=False)
    assert done.returncode == 0 and done.stdout.startswith(b"HTTP/1.1 200 OK\r\n")


# ---- the manual, and what else is about metrics ----


@pytest.fixture(scope="module")
def known():
    """All that a service tells which has listeners of both kinds."""
    with Service({"listen": [GREETING, HELLO]}) as service:
        return Metrics(helloctl("-s", service.control_path, "metrics").stdout.decode())


def test_each_is_in_the_manual(known):
    page = (TREE / "man" / "helloctl.8").read_text(encoding="utf-8")
    entries = [word for line in re.findall(r"^\.It Li (hellod_.*)", page, re.MULTILINE) for word in line.split(" , ")]
    assert len(entries) == len(set(entries))
    assert set(entries) == {re.sub(r"_(bucket|count|sum)$", "", name) for name in known.samples}


def test_alerts_and_dashboard_are_about_what_there_is(known):
    """make check-metrics has them evaluated."""
    queries = [*alerts().values(), *(query for _, targets, _ in panels() for query, _ in targets)]
    assert len(alerts()) > 10 and len(queries) > 40
    assert names(queries) <= set(known.samples)
