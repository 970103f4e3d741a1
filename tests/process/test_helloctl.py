"""helloctl against a control socket that the test answers: well, in pieces, wrongly, or not at all.

`top` has a file of its own. What the real service answers is not the business of this file.
"""

import json
import re
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from controlled import Control, RELOAD, SERVICE, command, counter, helloctl, histogram, listener, quoted, status, worker
from hellodtest import EXIT_OK, EXIT_OTHER, EXIT_USAGE
from screen import Screen
from watch import SLOW, seeded, wait_until

EXIT_NOBODY, EXIT_TOO_LATE, EXIT_STRANGE = 69, 75, 76

FULL = status(
    listener("greeting", "tcp 0.0.0.0:3288"),
    listener("greeting", "tcp [::]:3288"),
    listener("hello", "udp 0.0.0.0:3288", passed="true"),
    worker(0, connections=2, answers=70, cpu_ms=10),
    worker(1, connections=3, answers=7, state="draining"),
    counter("accepted", 5, "connections accepted and admitted"),
    counter("closed_end", 3, "connections closed: the client sent end of file"),
    counter("refused_full", 4, "connections refused: the worker had as many as it may have"),
    counter("drop_text", 123, "datagrams dropped: not text"),
    counter("drop_empty", 0, "datagrams dropped: empty"),
)


def ask(folder, answer, *arguments, **how):
    with Control(folder, answer) as control:
        done = helloctl("-s", control.path, *(arguments or ["status"]), **how)
    done.asked = control.asked
    return done


# ---- the command line ----


@pytest.mark.parametrize("option", ("-h", "--help"))
def test_help(option):
    done = helloctl(option)
    assert done.returncode == EXIT_OK and done.stderr == ""
    for name in "-s --socket -V -h status --json metrics --http top reload log-level stop".split():
        assert re.search(rf"(?<![\w-]){name}\b", done.stdout.decode()), name


@pytest.mark.parametrize("option", ("-V", "--version"))
def test_version(option):
    done = helloctl(option)
    assert done.returncode == EXIT_OK and re.fullmatch(rb"helloctl \d+(\.\d+)+\S*\n", done.stdout)


@pytest.mark.parametrize(
    "arguments",
    ("", "-x", "-s", "nonsense", "status more", "reload --json", "top --json", "metrics --json", "status --http", "metrics more", "log-level", "log-level info more", "log-level x1"),
)
def test_usage(folder, arguments):
    done = ask(folder, status(), *(arguments.split() or [""]))
    assert done.returncode == EXIT_USAGE and done.stdout == b"" and "usage: helloctl" in done.stderr
    assert done.asked == []


def test_a_level_brings_no_second_line(folder):
    assert ask(folder, b"ok\n", "log-level", "info\n1 stop").asked == []


def test_default_socket_is_in_the_runtime_directory(folder):
    with Control(folder, FULL):
        for folders in (str(folder), f"{folder}:/run/other"):
            assert helloctl("status", env={"RUNTIME_DIRECTORY": folders}).returncode == EXIT_OK
    assert "/run/hellod/control" in helloctl("-h", env={"RUNTIME_DIRECTORY": ""}).stdout.decode()


# ---- status ----


def test_status_text(folder):
    done = ask(folder, FULL, "status")
    assert done.returncode == EXIT_OK and done.stderr == "" and done.asked == [b"1 status\n"]
    assert done.stdout.decode().splitlines() == [
        "hellod 0.1.0 is healthy: serving, 2 of 2 workers ready, up 1 d 2 h",
        "pid 1, generation 0, log level info, /etc/hellod/hellod.conf",
        "5 connections, 77 answers",
        "listeners",
        " greeting: tcp 0.0.0.0:3288              greeting: tcp [::]:3288",
        " hello: udp 0.0.0.0:3288 (passed)",
        "workers: number, pid, state, connections/answers",
        "   0.1    4001 draining     3/7            0.0    4000 ready        2/70",
        "refused or dropped so far",
        "         4  connections refused: the worker had as many as it may have",
        "       123  datagrams dropped: not text",
        "reload 3: ok, 2 min 5 s ago",
    ]


def test_status_of_the_sick(folder):
    sick = SERVICE.replace("healthy=true", "healthy=false").replace("ready=2", "ready=0")
    failed = 'reload number=4 result="failed" age_ms=1000 reason="/etc/hellod/hellod.conf:7: \\"x\\""\n'
    lines = ask(folder, status(service=sick, reload=failed)).stdout.decode().splitlines()
    assert lines[0].startswith("hellod 0.1.0 is NOT HEALTHY: serving, 0 of 2 workers ready")
    assert lines[-3:] == ["nothing refused or dropped so far", "reload 4: failed, 1 s ago", '  /etc/hellod/hellod.conf:7: "x"']


def test_workers_that_were_replaced(folder):
    for count, words in ((1, "1 worker"), (12, "12 workers")):
        lines = ask(folder, status(f'value name="worker_restarts" value={count}\n')).stdout.decode().splitlines()
        assert lines[2] == f"5 connections, 77 answers, {words} replaced"


DROPS = 'metric name="kernel_drops" kind="counter" unit="" help="h"\n' + "".join(
    f'value name="kernel_drops" address="{address}" value={count}\n' for address, count in (("a", 3), ("b", 4))
)


def test_what_the_kernel_drops_is_with_the_rest(folder):
    lines = ask(folder, status(DROPS)).stdout.decode().splitlines()
    assert lines[-3:-1] == ["refused or dropped so far", "         7  dropped by the kernel, before hellod saw it"]


@pytest.mark.parametrize(
    "buckets, line",
    [
        ([[(4, 500), (1500, 989), (2000000, 990), (None, 1000)]], "4 us, 99 % within 2.0 s, 99.9 % within longer"),
        ([[(4, 499), (1500, 999), (2000000, 999), (None, 1000)]], "1.5 ms, 99 % within 1.5 ms, 99.9 % within 1.5 ms"),
        # Of two listeners, one of which has had nothing.
        ([[(4, 0), (8, 0), (None, 0)], [(4, 1), (8, 2), (None, 2)]], "4 us, 99 % within 8 us, 99.9 % within 8 us"),
        ([[(4, 0), (None, 0)]], None),
    ],
)
def test_how_long_answers_took(folder, buckets, line):
    told = [histogram("answer_time", *its, listener=f"name{n}") for n, its in enumerate(buckets)]
    lines = ask(folder, status(*told, histogram("greeting_time", (4, 9), (None, 9)))).stdout.decode().splitlines()
    assert lines[2] == "5 connections, 77 answers"
    assert lines[3] == (f"half of them within {line}" if line else "listeners")


@pytest.mark.parametrize("count", (2, 16))
def test_status_fits_a_small_terminal(folder, count):
    workers = [worker(slot, connections=4096, answers=123456789, pid=4194304) for slot in range(count)]
    listeners = [listener(name, f"{kind} {host}:3288") for name, kind in (("greeting", "tcp"), ("hello", "udp")) for host in ("0.0.0.0", "[::]")]
    reasons = [counter(f"drop_{n}", 10**9, "connections refused: no descriptors or no memory in the kernel") for n in range(5)]
    times = histogram("answer_time", (393216, 1), (786432, 99), (None, 100))
    lines = ask(folder, status(*workers, *listeners, *reasons, times)).stdout.decode().splitlines()
    assert len(lines) <= 23 and max(map(len, lines)) <= 80
    assert sum(line.count("4194304") for line in lines) == count


def crowded(workers, names):
    """The status of many workers, two of which do not serve, and of listeners with two sockets each; much was refused."""
    rows = [worker(slot, state="starting" if slot in (40, 60) else "ready") for slot in range(workers)]
    sockets = [listener(f"name{n}", f"tcp {host}:{3300 + n}") for n in range(names) for host in ("0.0.0.0", "[::]")]
    reasons = [counter(f"drop_{n}", n + 1, f"datagrams dropped: reason {n}") for n in range(14)]
    reason = "/etc/hellod/hellod.conf:7: " + "x" * 100  # a line of the terminal and a half
    failed = f'reload number=4 result="failed" age_ms=1000 reason="{reason}"\n'
    return status(*rows, *sockets, *reasons, histogram("answer_time", (4, 1), (None, 1)), reload=failed)


def on_screen(folder, answer, rows):
    with Control(folder, answer) as control, Screen(command("-s", control.path, "status"), rows) as screen:
        screen.wait_for("^reload 4: failed")
        assert screen.wait_end() == EXIT_OK
        screen.wait_for("^  /etc/hellod/hellod.conf:7: x")
        return screen.rows()


LEFT_OUT = re.compile(r" and (\d+) more lines, which this screen has no room for")


def test_status_of_many_fits_a_screen_of_24_rows(folder):
    """Screen asserts that nothing has scrolled away."""
    rows = on_screen(folder, crowded(64, 10), 24)
    assert rows[0].startswith("hellod 0.1.0 is healthy") and rows[4] == "listeners"
    # What is to be looked at is there.
    assert sum(" starting " in row for row in rows) == 1 and "0.40 " in rows[8] and "0.60 " in rows[8]
    assert sum("datagrams dropped: reason" in row for row in rows) == 8
    assert [int(found[1]) for row in rows if (found := LEFT_OUT.fullmatch(row))] == [9, 31, 6]


def test_status_of_many_has_the_room_there_is(folder):
    rows = on_screen(folder, crowded(64, 10), 40)
    (left,) = [int(found[1]) for row in rows if (found := LEFT_OUT.fullmatch(row))]
    assert sum(" ready " in row or " starting " in row for row in rows) == 32 - left
    assert sum("tcp [::]:" in row for row in rows) == 10
    # Where there is no screen there is no end of rows.
    lines = ask(folder, crowded(64, 10)).stdout.decode().splitlines()
    assert not any(LEFT_OUT.fullmatch(line) for line in lines) and sum(" ready " in line for line in lines) == 31


def test_a_newer_service_may_say_more(folder):
    more = SERVICE.replace(" pid=1", ' colour="blue" pid=1')
    done = ask(folder, status('weather sky="grey"\n', service=more), "status", "--json")
    assert done.returncode == EXIT_OK and json.loads(done.stdout)["service"]["colour"] == "blue"


# ---- JSON ----


def test_json(folder):
    done = ask(folder, FULL, "status", "--json")
    assert done.returncode == EXIT_OK and done.stdout.count(b"\n") == 1
    told = json.loads(done.stdout)
    assert list(told) == ["service", "reload", "listeners", "workers", "counters", "metrics", "values", "buckets", "sums"]
    assert told["service"]["healthy"] is True and told["service"]["answers"] == 77 and told["service"]["state"] == "serving"
    assert told["reload"] == {"number": 3, "result": "ok", "age_ms": 125000, "reason": ""}
    assert told["listeners"][2] == {"name": "hello", "protocol": "greeting", "address": "udp 0.0.0.0:3288", "passed": True}
    assert [(one["slot"], one["pid"], one["state"]) for one in told["workers"]] == [(0, 4000, "ready"), (1, 4001, "draining")]
    assert told["counters"] == {"accepted": 5, "closed_end": 3, "refused_full": 4, "drop_text": 123, "drop_empty": 0}


def test_json_of_metrics(folder):
    told = json.loads(ask(folder, status(DROPS, histogram("answer_time", (4, 1), (None, 2))), "status", "--json").stdout)
    assert told["metrics"][0] == {"name": "kernel_drops", "kind": "counter", "unit": "", "help": "h"}
    assert told["values"][1] == {"name": "kernel_drops", "address": "b", "value": 4}
    assert told["buckets"] == [{"name": "answer_time", "le": 4, "value": 1}, {"name": "answer_time", "value": 2}]
    assert told["sums"] == [{"name": "answer_time", "value": 1}]


def test_json_of_nothing(folder):
    told = json.loads(ask(folder, b"service\nok\n", "status", "--json").stdout)
    empty = {name: [] for name in ("listeners", "workers", "metrics", "values", "buckets", "sums")}
    assert told == {"service": {}, "reload": {}, "counters": {}, **empty}


def shown(data):
    """DATA as a JSON reader must see it: what is UTF-8 as it is, any other byte as U+FFFD."""
    text = ""
    while data:
        for length in range(1, 5):
            try:
                text += data[:length].decode("utf-8")
                data = data[length:]
                break
            except UnicodeDecodeError:
                continue
        else:
            text, data = text + "\ufffd", data[1:]
    return text


HOSTILE = [
    b'"', b"\\", b'\\"', b"\n", b"\x1b]0;owned\x07", b"\x7f", "\x9b31m".encode(), "\u20ac \U0001f427 \u2028".encode(), b"\xff\xfe", b"\xc3",
    b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"</script>", b"a" * 5000, bytes(range(1, 256)),
]  # fmt: skip


def hostile_status(texts):
    reply = SERVICE.encode() + RELOAD.encode()
    for text in texts:
        reply += b"listener name=" + quoted(text) + b' protocol="" address="" passed=false\n'
    return reply + b"ok\n"


def test_json_of_hostile_strings(folder):
    random = seeded()
    texts = HOSTILE + [bytes(random.randrange(1, 256) for _ in range(random.randrange(40))) for _ in range(300)]
    done = ask(folder, hostile_status(texts), "status", "--json")
    assert done.returncode == EXIT_OK and not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", done.stdout)
    assert [one["name"] for one in json.loads(done.stdout)["listeners"]] == [shown(text) for text in texts]


def test_nothing_reaches_the_terminal_unescaped(folder):
    done = ask(folder, hostile_status(HOSTILE))
    assert done.returncode == EXIT_OK
    text = done.stdout.decode("utf-8")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text) and r"\x1b]0;owned\x07" in text and "\U0001f427" in text


# ---- orders ----


@pytest.mark.parametrize("words", (["reload"], ["log-level", "debug"]), ids=" ".join)
def test_orders(folder, words):
    done = ask(folder, b"ok\n", *words)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_OK, b"", "")
    assert done.asked == [b"1 " + " ".join(words).encode() + b"\n"]


def test_reload_that_fails(folder):
    reply = b'error /etc/h.conf:3: unknown key "x"\nerror /etc/h.conf:9: \x1b[31mred\nfailed the configuration in force stays\n'
    done = ask(folder, reply, "reload")
    assert done.returncode == EXIT_OTHER and done.stdout == b""
    assert done.stderr.splitlines() == [
        '/etc/h.conf:3: unknown key "x"',
        r"/etc/h.conf:9: \x1b[31mred",
        "helloctl: the service refused: the configuration in force stays",
    ]


def test_refusal_before_the_question(folder):
    """A service that is full says so to whoever connects, and closes."""
    path = str(folder / "control")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def refuse():
            client, _ = server.accept()
            client.sendall(b"failed too many clients\n")
            client.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        done = helloctl("-s", path, "status")
        thread.join()
    assert done.returncode == EXIT_OTHER and "too many clients" in done.stderr


def test_stop_returns_when_the_service_has_ended(folder):
    """That is at the end of the connection, not at its ok."""
    end = threading.Event()

    def answer(client, _line):
        client.sendall(b"ok\n")
        end.wait()
        client.shutdown(socket.SHUT_RDWR)

    with Control(folder, answer) as control, subprocess.Popen(command("-s", control.path, "stop")) as process:
        try:
            wait_until(lambda: control.asked, 10, "the question")
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
        finally:
            end.set()
        assert process.wait(10 * SLOW) == EXIT_OK
    assert control.asked == [b"1 stop\n"]


def test_stop_that_is_refused(folder):
    assert ask(folder, b"failed not now\n", "stop").returncode == EXIT_OTHER


# ---- what is no service ----


def test_reply_byte_by_byte(folder):
    def answer(client, _line):
        for byte in FULL:
            client.sendall(bytes([byte]))

    done = ask(folder, answer, "status", "--json")
    assert done.returncode == EXIT_OK and len(json.loads(done.stdout)["workers"]) == 2


def test_no_answer_in_time(folder):
    """Side by side, because each takes its ten seconds."""
    commands = ("status", "log-level info", "status --json")

    def answer(client, line):
        client.sendall(b"" if b"log-level" in line else b'service version="0.1.0')

    with Control(folder, answer) as control, ThreadPoolExecutor() as pool:
        asked = {words: pool.submit(helloctl, "-s", control.path, *words.split(), seconds=30) for words in commands}
        for words, future in asked.items():
            done = future.result()
            assert done.returncode == EXIT_TOO_LATE and "within 10 s" in done.stderr and done.stdout == b"", words


def cut(client, _line):
    client.sendall(FULL[: len(FULL) // 2])
    client.shutdown(socket.SHUT_RDWR)


STRANGE = {
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "greeting": b"What's your name?\n",
    "greeting without a newline": b"What's your name?",
    "zero bytes without a newline": b"ok\x00",
    "two words, the first not one": b"servicE ",
    "binary": b"\x00\x01\x02\n",
    "zero byte": b"ok\x00\n",
    "zero byte in a line": SERVICE.encode() + b"a b=1\x00\nok\n",
    "empty line": b"\nok\n",
    "carriage return": b"ok\r\n",
    "no status": b"ok\n",
    "other words": b"hello world\nok\n",
    "bad value": SERVICE.replace("pid=1", "pid=one").encode() + b"ok\n",
    "key twice": SERVICE.replace("pid=1", "pid=1 pid=1").encode() + b"ok\n",
    "no end of string": b'service a="b\nok\n',
    "more behind the end": FULL + b"ok\n",
    "escape": b"\x1b[2J\n",
    "cut": cut,
    "a line of megabytes": b"service " + b"a" * 2_000_000 + b"\nok\n",
    "a million lines": b"a\n" * 1_000_000,
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("form", ([], ["--json"]), ids=("text", "json"))
def test_what_is_no_reply(folder, name, form):
    done = ask(folder, STRANGE[name], "status", *form)
    assert done.returncode == EXIT_STRANGE and done.stdout == b""
    assert "does not speak the control protocol" in done.stderr and done.stderr.count("\n") == 1
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stderr)


def test_nobody_is_there(folder):
    done = helloctl("-s", folder / "control", "status")
    assert done.returncode == EXIT_NOBODY and str(folder / "control") in done.stderr and "does hellod run" in done.stderr


def test_nobody_listens(folder):
    path = str(folder / "control")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    for words in (["status"], ["reload"], ["stop"], ["log-level", "info"]):
        done = helloctl("-s", path, *words)
        assert done.returncode == EXIT_NOBODY and "has ended" in done.stderr


def test_path_too_long():
    assert helloctl("-s", "/" + "x" * 200, "status").returncode == EXIT_NOBODY


def test_closed_without_a_word(folder):
    done = ask(folder, lambda client, _line: client.shutdown(socket.SHUT_RDWR))
    assert done.returncode == EXIT_NOBODY


def test_full_disk(folder):
    with open("/dev/full", "wb") as full:
        done = ask(folder, FULL, stdout=full)
    assert done.returncode == EXIT_OTHER and "standard output" in done.stderr
