"""helloc bench's reports, its plot, its terminal, its options, and whom it refuses to load.

Each exit code that helloc-bench(1) lists is met here, or in the other tests of bench.
"""

import json
import os
import re
import signal
import socket
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

import hostile
from benched import FAILED, SCHEMA, bench, check, daemon_with_paths, judge, operands, same_shape
from helloc import DONE, IO, NO_HOST, SYSTEM, USAGE, Terminal, command, helloc
from hellodtest import TREE
from hostile import Datagrams, Streams
from watch import SLOW, children, wait_until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    with daemon_with_paths(tmp_path_factory.mktemp("bench")) as running:
        yield running


# ---- whom it refuses ----


@pytest.mark.parametrize("host", ("192.0.2.1", "8.8.8.8", "172.32.0.1", "2001:db8::1", "::ffff:8.8.8.8", "100.64.0.1", "224.0.0.1"))
def test_strangers_are_refused(host):
    for allowed in ([], ["--public"]):
        for udp in ([], ["-u"]):
            done = helloc("bench", *allowed, *udp, "-d", "0.1", host)
            assert done.returncode == USAGE and done.stdout == b""
            assert "neither loopback nor private" in done.stderr and "attack" in done.stderr
            assert ("once more" if allowed else "twice") in done.stderr


def strange_address():
    """An address that is public by its number and ours in a network of this test alone."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", "192.0.2.1/32", "dev", "lo"], check=True)
    return "192.0.2.1"


@pytest.mark.netns
def test_strangers_when_told_twice():
    with Streams(hostile.friendly, host=strange_address()) as server:
        assert helloc("bench", "-n", 5, *server.operands).returncode == USAGE
        assert server.connections == 0
        report = bench("--public", "--public", "-n", 5, *server.operands)
    assert report["requests"]["answered"] == 5


# ---- reports, plot, terminal ----


def test_json(daemon):
    where = operands(daemon, "greeting")
    report = bench("-n", 100, "-r", 1000.5, "-m", 5, "-s", "3-9", "-c", 6, "-j", 2, "-W", "1.5", *where)
    same_shape(report, SCHEMA)
    assert report["target"] == {"name": f"{where[0]} port {where[1]}", "address": f"{where[0]}:{where[1]}", "type": "stream", "own_words": False}
    assert report["load"] == {
        "loop": "open",
        "rate": 1000.5,
        "connections": 6,
        "processes": 2,
        "pipeline": 1,
        "messages": 5,
        "size": {"least": 3, "most": 9},
        "timeout_s": 1.5,
    }
    assert report["bytes"]["in"] - report["bytes"]["out"] == 100 * len("Hello, !")


def test_text(daemon):
    done = helloc("bench", "-n", 100, *operands(daemon, "greeting"))
    said = done.stdout.decode()
    assert done.returncode == DONE and done.stderr == ""
    assert re.search(r"^requests +100 sent, 100 answered, 0 failed, in \d+\.\d\d s$", said, re.M)
    assert re.search(r"^answers( +\d+\.\d{3}){8}$", said, re.M)
    assert re.search(r"^own cost +\d+\.\d\d us of CPU time a request", said, re.M)
    assert max(map(len, said.splitlines())) <= 110


def test_text_of_what_failed():
    with Datagrams(hostile.every(2)) as server:
        done = helloc("bench", "-u", "-n", 10, "-c", 1, "-W", "0.2", *server.operands)
    said = done.stdout.decode()
    assert done.returncode == FAILED
    assert "10 sent, 5 answered, 5 failed" in said and re.search(r"^failed +5 no answer in time$", said, re.M)


@pytest.mark.parametrize("answered", (True, False))
def test_plot(daemon, tmp_path, answered):
    picture = tmp_path / "plot.svg"
    where = operands(daemon, "hello") if answered else hostile.nobody(socket.SOCK_DGRAM)
    done = helloc("bench", "-u", "-d", "0.3", "--plot", picture, *where)
    assert done.returncode == (DONE if answered else FAILED)
    root = ElementTree.parse(picture).getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg"
    texts = [text.text for text in root.iter(f"{space}text")]
    assert any(f"UDP to {where[0]}:{where[1]}" in text for text in texts)
    assert ("No answers" in texts) != answered
    assert ("90 %" in texts) == answered and ("No answers, no latencies." in texts) != answered
    assert "prefers-color-scheme:dark" in root.find(f"{space}style").text
    # Every shape has a class, and no colour of its own that the surroundings could not change.
    for shape in root.iter():
        assert shape.get("fill") is None and shape.get("stroke") is None
    for path in root.iter(f"{space}path"):
        numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", path.get("d"))]
        assert numbers and min(numbers) >= 0 and max(numbers) <= 880


def test_plot_escapes_the_target(tmp_path):
    path = tmp_path / "<&>\"'\x1b[2J"
    with Datagrams(hostile.polite, path=path) as server:
        bench("-u", "-n", 5, "--plot", tmp_path / "plot.svg", *server.operands)
    assert "<&>" in "".join(ElementTree.parse(tmp_path / "plot.svg").getroot().itertext())


def test_plot_shortens_a_long_path(tmp_path):
    """In the middle, and between characters; both ends are worth more than any one of them alone."""
    where = f"{tmp_path}/"
    where += "ä" * ((107 - len(where)) // 2)
    picture = tmp_path / "plot.svg"
    with Datagrams(hostile.polite, path=where):
        bench("-u", "-n", 5, "--plot", picture, where)
    texts = [text.text for text in ElementTree.parse(picture).getroot().iter("{http://www.w3.org/2000/svg}text")]
    (target,) = (text for text in texts if text.startswith("Datagrams to "))
    assert len(f"Datagrams to {where}") <= 80 or len(target) == 81
    first, found, last = target.partition("…")
    assert f"Datagrams to {where}".startswith(first) and where.endswith(last)
    assert bool(found) == (len(f"Datagrams to {where}") > 80)


def test_plot_that_cannot_be_written(daemon, tmp_path):
    before = daemon.at_rest()["answers"]
    done = helloc("bench", "-n", 10, "--plot", tmp_path / "no" / "plot.svg", *operands(daemon, "greeting"))
    assert done.returncode == SYSTEM and "plot.svg: No such file" in done.stderr
    # One request has learnt the words by then.
    assert daemon.at_rest()["answers"] <= before + 1, "the load was made though its result had nowhere to go"
    done = helloc("bench", "-n", 10, "--plot", "/dev/full", *operands(daemon, "greeting"))
    assert done.returncode == IO and "10 sent" in done.stdout.decode()


def test_output_that_is_full(daemon):
    with open("/dev/full", "wb") as full:
        done = helloc("bench", "-n", 10, *operands(daemon, "greeting"), stdout=full)
    assert done.returncode == IO and "standard output" in done.stderr


def test_progress_on_a_terminal(daemon):
    with Terminal("bench", "-d", "1", "-j", "2", "-c", "4", *operands(daemon, "greeting")) as terminal:
        terminal.wait_for(rb"\r\[#+ +\] +\d+ %  \d\.\d s  \d+ requests/s  0 errors\x1b\[K")
        assert terminal.wait_end() == DONE
        terminal.wait_for(rb"requests +\d+ sent")
        bars, _, report = terminal.said.partition(b"\r\x1b[K")
    assert all(len(bar) < 80 for bar in bars.split(b"\r")) and b"#]" not in report
    with Terminal("bench", "-q", "-d", "0.5", *operands(daemon, "greeting")) as terminal:
        assert terminal.wait_end() == DONE
        assert b"\r[" not in terminal.said


def test_ctrl_c_gives_the_report_so_far(daemon):
    with Terminal("bench", "-d", "1000", "-j", "2", *operands(daemon, "greeting")) as terminal:
        terminal.wait_for(rb"[1-9]\d* requests/s")
        terminal.type(b"\x03")
        terminal.wait_end()
        terminal.wait_for(rb"; interrupted\r\n")
        terminal.wait_for(rb"requests +[1-9]\d* sent")


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
@pytest.mark.parametrize("manner", (hostile.friendly, hostile.greets_and_waits))
def test_signals(number, manner):
    with Streams(manner) as server:
        process = subprocess.Popen(command("bench", "--json", "-d", 1000, "-W", 1000, *server.operands), stdout=subprocess.PIPE)
        asked = 32 if manner is hostile.greets_and_waits else 100
        wait_until(lambda: len(server.asked) >= asked, 10, "requests")
        process.send_signal(number)
        out, _ = process.communicate(timeout=10 * SLOW)
    report = check(json.loads(out))
    assert report["interrupted"]
    assert report["requests"]["failed"] == report["requests"]["errors"]["cut_off"] <= 32
    assert report["requests"]["answered"] > 0 if manner is hostile.friendly else report["requests"]["failed"] == 32


def test_process_that_is_killed(daemon):
    """The others' results are not lost, and that one has gone is said."""
    process = subprocess.Popen(
        command("bench", "--json", "-d", 2, "-j", 2, "-c", 4, *operands(daemon, "greeting")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    victims = wait_until(lambda: len(children(process.pid)) == 2 and children(process.pid), 10, "two processes")
    os.kill(victims[0], signal.SIGKILL)
    out, err = process.communicate(timeout=20 * SLOW)
    assert process.returncode == SYSTEM and b"a process was killed" in err
    report = json.loads(out)
    assert report["requests"]["sent"] == report["requests"]["answered"] + report["requests"]["failed"] > 0


def test_none_outlives_the_first(daemon):
    process = subprocess.Popen(
        command("bench", "-d", 1000, "-j", 2, *operands(daemon, "greeting")), stdout=subprocess.DEVNULL
    )
    workers = wait_until(lambda: len(children(process.pid)) == 2 and children(process.pid), 10, "two processes")
    process.kill()
    process.wait()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in workers), 10, "their end")


def test_too_few_descriptors(daemon):
    """Connections that cannot be made are counted, and those that can do their work."""
    limit = "import resource, sys, os; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)); os.execvp(sys.argv[1], sys.argv[1:])"
    words = ["/usr/bin/python3", "-I", "-S", "-c", limit, *command("bench", "--json", "-n", 200, "-c", 32)]
    done = subprocess.run([*words, *map(str, operands(daemon, "greeting"))], capture_output=True, timeout=30 * SLOW, check=False)
    report = judge(done, FAILED)
    assert report["requests"]["answered"] == 200 and report["connections"]["errors"]["other"] > 0


# ---- options ----


def test_help():
    done = helloc("bench", "--help")
    lines = done.stdout.decode().splitlines()
    assert done.returncode == DONE and len(lines) <= 24 and max(map(len, lines)) < 80


def test_page_has_every_option():
    page = (TREE / "man" / "helloc-bench.1").read_text(encoding="utf-8")
    said = helloc("bench", "-h").stdout.decode()
    assert set(re.findall(r"--([a-z0-9]+)", said)) == set(re.findall(r"^\.It.*?Fl \\-([a-z0-9]+)", page, re.M)) | {"ipv6"}


@pytest.mark.parametrize(
    "words",
    (
        ["-c", "0"],
        ["-c", "x"],
        ["-c", "60001"],
        ["-n", "-1"],
        ["-n", "1e3"],
        ["-r", "inf"],
        ["-r", "0"],
        ["-r", "0x10"],
        ["-d", "0"],
        ["-d", "nan"],
        ["-p", "1025"],
        ["-s", "0"],
        ["-s", "9-3"],
        ["-s", "3-"],
        ["-s", "60001"],
        ["-j", "65"],
        ["-W", ""],
        ["-u", "-m", "1"],
        ["-u", "-s", "11"],
        ["--what"],
        ["-d"],
        ["-c", "\x1b[2J"],
        ["localhost", "1", "\x1b[2J"],
        ["localhost", "0"],
        ["localhost", "smtp\x1b[2J"],
    ),
    ids=" ".join,
)
def test_usage_errors(words):
    done = helloc("bench", *words)
    assert done.returncode == USAGE and done.stdout == b"" and done.stderr.startswith("helloc bench: ")
    assert "\x1b" not in done.stderr


def test_packets_have_no_pipeline(daemon):
    """A packet is a message, and an answer no line: nothing else says where one ends."""
    done = helloc("bench", "-n", 1, "-p", 2, *operands(daemon, "packet"))
    assert done.returncode == USAGE and "leave --pipeline out" in done.stderr


def test_names_that_nobody_has():
    assert helloc("bench", "-n", 1, "no-such-host.invalid").returncode == NO_HOST
