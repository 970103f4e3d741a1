"""helloc check, the monitoring plugin: against the real daemon, and against small hostile servers.

What a range is, case by case, is in tests/unit/test_range.c.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import hostile
from clients import PROMPT, greeting
from configs import GREETING, HELLO, UPPER
from helloc import program
from hellodtest import SICK, Hellod
from hostile import Datagrams, Deaf, Streams, nobody
from reloads import owed
from watch import SLOW

OK, WARNING, CRITICAL, UNKNOWN = 0, 1, 2, 3
NAMES = ["OK", "WARNING", "CRITICAL", "UNKNOWN"]

NUMBER = r"-?\d+(?:\.\d+)?"
METRIC = re.compile(rf"'([^'=]+)'=({NUMBER})s;([-@~:.\d]*);([-@~:.\d]*);({NUMBER});({NUMBER})")

# The time for what is expected to work, and for what is not.
PATIENT, HASTY = ("-t", 60 * SLOW), ("-t", 1)


def check(*arguments, words=(program(), "check"), state=None, lines=1, wrapper=(), stdout=subprocess.PIPE):
    """Runs the plugin and asserts what holds for all its output. .text is the first line's, .metrics the performance data
    as {label: (value, warn, crit, min, max)}, .more the other lines. LINES None: any number of them."""
    numbers = [str(int(a)) if isinstance(a, float) else str(a) for a in arguments]
    done = subprocess.run(
        [*wrapper, *shlex.split(os.environ.get("HELLOD_WRAPPER", "")), *words, *numbers],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=90 * SLOW,
        check=False,
    )
    errors = done.stderr.decode("utf-8", "backslashreplace")
    assert not SICK.search(errors), errors
    assert errors == "", "monitoring systems do not read standard error"
    assert 0 <= done.returncode <= 3
    if stdout == subprocess.PIPE:
        understand(done, lines)
    if state is not None:
        assert NAMES[done.returncode] == NAMES[state], done.stdout
    return done


def understand(done, lines):
    output = done.stdout.decode("utf-8")  # it is UTF-8, whatever a server says
    assert output.endswith("\n") and output.isprintable() == ("\n" not in output)
    first, *done.more = output[:-1].split("\n")
    assert lines in (None, 1 + len(done.more)), output
    done.text, bar, data = first.partition(" | ")
    assert "|" not in done.text and not any("|" in line for line in done.more), output
    assert all(line.isprintable() for line in (first, *done.more)), output
    assert not re.search("[<>&]", output), output
    pieces = data.split(" ") if bar else []
    done.metrics = {}
    for piece in pieces:
        label, value, warning, critical, least, most = METRIC.fullmatch(piece).groups()
        assert label not in done.metrics
        done.metrics[label] = (float(value), warning, critical, float(least), float(most))
        assert 0 <= float(least) <= float(value)
    if lines == 1:
        assert done.text.startswith(f"HELLO {NAMES[done.returncode]}: "), output
        assert len(first) < 600, "it may end up in a pager"


def at(address, *arguments, **how):
    """check() of a HOST and PORT, or a path."""
    if isinstance(address, (str, Path)):
        return check("-H", str(address).replace("\0", "@"), *arguments, **how)
    return check("-H", address[0], "-p", address[1], *arguments, **how)


# ---- the real daemon ----


@pytest.mark.parametrize("framing", ["auto", "chunk", "line"])
def test_greeting_in_each_framing(framing):
    with Hellod({"listen": [{**GREETING, "framing": framing}]}) as daemon:
        host, port = daemon.address("greeting")
        done = at((host, port), *PATIENT, state=OK)
        assert re.fullmatch(rf"HELLO OK: answer from 127\.0\.0\.1:{port} in \d+\.\d{{6}} s", done.text)
        assert list(done.metrics) == ["time", "connect"]
        assert done.metrics["connect"][0] <= done.metrics["time"][0] <= 60 * SLOW
        assert f"{done.metrics['time'][0]:.6f}" in done.text
        assert daemon.at_rest()["closed_end"] == 1


def test_datagrams():
    with Hellod({"listen": [HELLO]}) as daemon:
        done = at(daemon.address("hello"), "-u", *PATIENT, state=OK)
        assert list(done.metrics) == ["time"]
        assert daemon.counters()["datagrams"] == 1


def test_ipv6(ipv6):
    with Hellod({"listen": [{**GREETING, "address": "::1"}, {**HELLO, "address": "::1"}]}) as daemon:
        for name, options in (("greeting", ()), ("hello", ("-u",))):
            port = daemon.address(name)[1]
            assert f"[::1]:{port}" in at(("::1", port), "-6", *PATIENT, *options, state=OK).text
            at(("::1", port), "-4", *options, state=None)
            at(("127.0.0.1", port), *options, state=CRITICAL)


@pytest.mark.parametrize("kind", ["stream", "seqpacket", "datagram"])
@pytest.mark.parametrize("where", ["path", "abstract"])
def test_local_sockets(folder, kind, where):
    path = str(folder / "socket") if where == "path" else f"@{folder}"
    listener = HELLO if kind == "datagram" else GREETING
    listener = {k: v for k, v in listener.items() if k not in ("address", "port")}
    with Hellod({"listen": [{**listener, "type": kind, "path": path}]}):
        udp = ["-u"] if kind == "datagram" else []
        assert path in check("-H", path, *udp, *PATIENT, state=OK).text


def test_own_words_are_expected_when_said():
    own = {"answer": "100%% %s? Grüß Gott | <b>", "prompt": ""}
    with Hellod({"listen": [{**GREETING, **own}, {**HELLO, "answer": own["answer"]}, UPPER]}) as daemon:
        for name, options in (("greeting", []), ("hello", ["-u"])):
            address = daemon.address(name)
            done = at(address, *options, "-e", own["answer"], "-vvv", *PATIENT, state=OK, lines=None)
            assert "Grüß Gott \\x7c \\x3cb\\x3e" in done.text
            done = at(address, *options, *PATIENT, state=CRITICAL)
            assert "wrong answer" in done.text
        at(daemon.address("upper"), "-e", "%s", *PATIENT, state=OK)
        at(daemon.address("upper"), *PATIENT, state=CRITICAL)


def test_thresholds():
    with Hellod({"listen": [{**GREETING, "delay": 0.2}, HELLO]}) as daemon:
        slow = daemon.address("greeting")
        done = at(slow, "-w", "0.1", "-c", "3000", *PATIENT, state=WARNING)
        value, warning, critical, least, most = done.metrics["time"]
        assert value >= 0.19 and (warning, critical, least, most) == ("0.1", "3000", 0, 60 * SLOW)
        assert done.text.endswith(" s, outside 0.1")
        assert done.metrics["connect"][1:3] == ("", "")
        done = at(slow, "-w", "0.05", "-c", "0.1", *PATIENT, state=CRITICAL)
        assert done.text.endswith(" s, outside 0.1")
        assert done.metrics["time"][1:3] == ("0.05", "0.1")
        at(slow, "-w", "3000", *PATIENT, state=OK)
        for options in ((), ("-u",)):
            address = daemon.address("hello" if options else "greeting")
            done = at(address, *options, "-c", "@0:3000", *PATIENT, state=CRITICAL)
            assert done.text.endswith(" s, inside @0:3000") and done.metrics["time"][1:3] == ("", "@0:3000")
            at(address, *options, "-w", "3000:", *PATIENT, state=WARNING)
            at(address, *options, "-w", "@~:0", "-c", "~:3000.5", *PATIENT, state=OK)
            at(address, *options, "--warning=0.5:0.50", "-c~:0", *PATIENT, state=CRITICAL)


def test_refusals_are_no_outage():
    config = {"workers": 1, "listen": [GREETING, {**GREETING, "name": "slow", "delay": 60.0}], "limits": {"connections": 1}}
    with Hellod(config) as daemon:
        holder = owed(daemon)
        done = at(daemon.address("greeting"), *PATIENT, state=WARNING)
        assert re.search(r'refused by \S+: "Sorry, the server is full\."$', done.text)
        assert list(done.metrics) == ["connect"]
        holder.reset()
    config = {"listen": [{**GREETING, "message_size": 5}]}
    with Hellod(config) as daemon:
        # In chunks there is nothing that is too long.
        assert "wrong answer" in at(daemon.address("greeting"), *PATIENT, state=CRITICAL).text
    config = {"listen": [{**GREETING, "message_size": 5, "framing": "line"}]}
    with Hellod(config) as daemon:
        done = at(daemon.address("greeting"), *PATIENT, state=WARNING)
        assert done.text.endswith('"Sorry, a name has at most 5 bytes."')


def test_datagrams_dropped_by_a_limit_are_an_outage():
    with Hellod({"listen": [{**HELLO, "message_size": 5}]}) as daemon:
        done = at(daemon.address("hello"), "-u", "-t", 2, state=CRITICAL)
        assert re.search(r"no answer from 127\.0\.0\.1 port \d+ within 2 s, asked 2 times$", done.text)
        assert done.metrics == {}


def test_the_name_under_which_it_is_installed(folder):
    name = folder / "check_hello"
    name.symlink_to(program())
    with Hellod({"listen": [GREETING]}) as daemon:
        at(daemon.address("greeting"), *PATIENT, words=(name,), state=OK)
    assert "usage: check_hello" in check("-z", words=(name,), state=UNKNOWN).text


# ---- verbosity ----


def test_verbosity():
    with Hellod({"listen": [GREETING]}) as daemon:
        address = daemon.address("greeting")
        done = at(address, "-v", *PATIENT, state=OK)
        assert re.search(r'; connected in [\d.]+ s; said "Hello, CHECK-[0-9A-F]{8}!"$', done.text)
        two = at(address, "-vv", "-w", "@5", "-c", "60:", *PATIENT, state=CRITICAL, lines=None)
        assert f"thresholds: warning @5, critical 60:, timeout {60 * SLOW:.0f} s" in two.more
        assert f"target: 127.0.0.1 port {address[1]}, in a stream" in two.more
        assert not any(PROMPT.decode() in line for line in two.more)
        three = at(address, "-v", "--verbose", "-v", "-v", *PATIENT, state=OK, lines=None)
        assert re.search(r'"What\'s your name\?Hello, CHECK-[0-9A-F]{8}!"$', three.more[-1])
        assert len(three.more) > len(two.more) > 3


# ---- the command line ----

WRONG = [
    ["-w"],
    ["-w", ""],
    ["-w", "5:1"],
    ["-c", "1,5"],
    ["-c", "10s"],
    ["-c", "1|2"],
    ["--critical", "\x1b[31m\n"],
    ["-t", "0"],
    ["-t", "-1"],
    ["-t", "1.5"],
    ["-t", "3601"],
    ["-t", "99999999999999999999"],
    ["-e", "Hello!"],
    ["-e", "%d %s"],
    ["-e", "%s" + "x" * 254],
    ["-4", "-6"],
    ["-p", "0"],
    ["-p", "65536"],
    ["-p", "echo"],
    ["-H", ""],
    ["-H", "/run/x", "-p", "1"],
    ["-H", "/run/" + "x" * 200],
    ["localhost"],
    ["--", "-v"],
    ["-z"],
    ["-vz"],
    ["-\xe9"],
    ["--zap"],
    ["--udp=1"],
    ["--ver"],
    ["--warning"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=repr)
def test_wrong_command_lines_are_unknown(arguments):
    done = check(*arguments, state=UNKNOWN)
    assert "; usage: check_hello [-46uv] " in done.text and done.metrics == {}


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_fits_a_screen(option):
    done = check(option, lines=None, state=UNKNOWN)
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("usage: check_hello ") and len(lines) <= 23 and max(map(len, lines)) < 80


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(option):
    done = subprocess.run([program(), "check", option], capture_output=True, check=False)
    assert done.returncode == UNKNOWN and re.fullmatch(rb"check_hello \d+(\.\d+)+\S*\n", done.stdout)


def test_output_that_cannot_be_written_is_unknown():
    with Hellod({"listen": [GREETING]}) as daemon, open("/dev/full", "wb") as full:
        assert at(daemon.address("greeting"), *PATIENT, stdout=full).returncode == UNKNOWN


# ---- outages ----


def test_nobody_there(folder):
    for host, shown in (("127.0.0.1", "127.0.0.1:{}"), ("localhost", "127.0.0.1:{}")):
        for kind, options in ((socket.SOCK_STREAM, ()), (socket.SOCK_DGRAM, ("-u",))):
            _, port = nobody(kind)
            done = at((host, port), *options, *PATIENT, state=CRITICAL)
            assert f"cannot reach {host} port {port}: " in done.text
            assert f"{shown.format(port)}: Connection refused" in done.text
            assert done.metrics == {}
    for options in ((), ("-u",)):
        done = check("-H", folder / "none", *options, state=CRITICAL)
        assert "No such file or directory" in done.text


def test_socket_of_the_other_kind(folder):
    path = folder / "socket"
    listener = {k: v for k, v in GREETING.items() if k not in ("address", "port")}
    with Hellod({"listen": [{**listener, "path": str(path)}]}):
        assert "it is no datagram socket" in check("-H", path, "-u", state=CRITICAL).text


# In a namespace of its own, so that no name server hears of it.
@pytest.mark.netns
def test_names_without_an_address_are_critical():
    done = check("-H", "no-such-name.invalid", *PATIENT, state=CRITICAL)
    assert "no-such-name.invalid" in done.text


@pytest.mark.netns
def test_foreign_names_do_not_reach_the_performance_data():
    done = check("-H", "a|'time'=0s\n<b>", *PATIENT, state=CRITICAL)
    assert "a\\x7c'time'=0s\\x0a\\x3cb\\x3e" in done.text


def test_what_this_system_cannot_do_is_unknown():
    without = (sys.executable, "-I", "-S", str(Path(__file__).with_name("without_family.py")), "AF_INET6")
    for options in ((), ("-u",)):
        done = check("-H", "::1", *options, *PATIENT, wrapper=without, state=UNKNOWN)
        assert "Address family not supported" in done.text


def test_a_port_where_nobody_accepts():
    with Deaf() as deaf:
        done = at(deaf.address, *HASTY, state=CRITICAL)
        assert re.search(r"cannot reach .*no answer$", done.text)


# ---- hostile servers ----

SILENCE = r"no answer from 127\.0\.0\.1:\d+ within 1 s$"
CLOSED = r"no answer from 127\.0\.0\.1:\d+, which closed the connection$"
RESET = r"no answer from 127\.0\.0\.1:\d+, Connection reset by peer$"

STREAMS = {
    "friendly": (hostile.friendly, OK, r" s$"),
    "byte by byte": (hostile.byte_by_byte, OK, r" s$"),
    "slow": (hostile.slow(0.3), OK, r" s$"),
    "twice": (hostile.twice, OK, r" s$"),
    "half-closes": (hostile.half_closes, CRITICAL, CLOSED),
    "silent": (hostile.silent, CRITICAL, SILENCE),
    "greets and waits": (hostile.greets_and_waits, CRITICAL, SILENCE),
    "never ends": (lambda client, server: server.pause(60), CRITICAL, SILENCE),
    "closes": (hostile.closes, CRITICAL, CLOSED),
    "closes on name": (hostile.closes_on_name, CRITICAL, CLOSED),
    "half-closes on name": (hostile.half_closes_on_name, CRITICAL, CLOSED),
    "resets on name": (hostile.resets_on_name, CRITICAL, RESET),
    "blank": (hostile.blank, CRITICAL, r"wrong answer from .*\"\\x0a\"$"),
    "cut greeting": (hostile.cut_greeting, CRITICAL, r"half an answer from .*, which closed the connection$"),
    "cut": (hostile.cut_answer, CRITICAL, r"half an answer from .*, which closed the connection$"),
    "cut and waits": (
        lambda client, server: (client.sendall(b"Hello, C"), server.pause(60)),
        CRITICAL,
        r"half an answer from .* within 1 s$",
    ),
    "cut and reset": (hostile.after_name(lambda name: b"Hello", "reset"), CRITICAL, r"half an answer from .*reset"),
    "wrong": (hostile.wrong, CRITICAL, r'wrong answer from 127\.0\.0\.1:\d+: "Hello, Mallory!"$'),
    "shouting": (hostile.shouting, CRITICAL, r'wrong answer from .*: "HELLO, CHECK-[0-9A-F]+!"$'),
    "other service": (hostile.other_service, CRITICAL, r'wrong answer from .*: "220 mail.*500 5\.5\.1'),
    "escapes": (hostile.escapes, CRITICAL, r': "\\x1b\[2J\\x1b\]0;owned\\x07\\x9b31m\\x00\\x7f\\xff%s%nHello, \\x1b'),
    "forges": (
        hostile.after_name(lambda name: b"x | 'time'=0s\nHELLO OK: <b>&\xc2\x9b|"),
        CRITICAL,
        r": \"x \\x7c 'time'=0s\\x0aHELLO OK: \\x3cb\\x3e\\x26\\xc2\\x9b\\x7c\"$",
    ),
    "floods": (hostile.floods(), CRITICAL, r'wrong answer from .*: "(Hello, )+[Helo,]*\.\.\."$'),
    "greets and floods": (hostile.greets_and_floods, CRITICAL, r"wrong answer from .*\.\.\.\"$"),
    "full": (hostile.full, WARNING, r'refused by 127\.0\.0\.1:\d+: "Sorry, the server is full\."$'),
    "full and resets": (hostile.says(b"Sorry, the server is full.\r\n", "reset"), None, r"refused by|reset by peer$"),
    "full and waits": (hostile.says(b"Sorry, the server is full.\n", "wait"), WARNING, r"refused by"),
    "too many": (hostile.too_many, WARNING, r'"Sorry, too many connections from your address\."$'),
    "too idle": (hostile.too_idle, WARNING, r'"Sorry, you have been silent for too long\."$'),
    "refusal after own prompt": (
        hostile.says(b"So? Sorry, the server is full.\n", "half"),
        WARNING,
        r': "Sorry, the server is full\."$',
    ),
    "almost a refusal": (hostile.says(b"Sorry, the server is fool.\n", "half"), CRITICAL, r"wrong answer"),
}


@pytest.mark.parametrize("case", STREAMS)
@pytest.mark.parametrize("verbosity", ["", "-vvv"])
def test_hostile_streams(case, verbosity):
    manner, state, text = STREAMS[case]
    limit = HASTY if "within 1 s" in text or "waits" in case else PATIENT
    with Streams(manner) as server:
        if verbosity:
            done = at(server.address, *limit, verbosity, state=state, lines=None)
            assert done.more[-1].startswith("all that was received: ")
            if "floods" in case:
                assert not any(line.startswith("end: ") for line in done.more), "it has not ended"
        else:
            done = at(server.address, *limit, state=state)
            assert re.search(text, done.text), done.text
        assert server.connections == 1
        assert all(re.fullmatch(rb"CHECK-[0-9A-F]{8}", data) for _, data in server.asked)


LOST = r"no answer from 127\.0\.0\.1 port \d+ within 1 s$"

DATAGRAMS = {
    "polite": (hostile.polite, OK, r" s$"),
    "twice": (hostile.replies_twice, OK, r" s$"),
    "late": (hostile.replies_late, OK, r" s$"),
    "reordered": (hostile.replies_reordered, OK, r" s$"),
    "ignores": (hostile.ignores, CRITICAL, LOST),
    "from elsewhere": (hostile.from_elsewhere, CRITICAL, LOST),
    "from elsewhere first": (hostile.from_elsewhere_first, OK, r" s$"),
    "wrong": (hostile.replies_wrong, CRITICAL, r'wrong answer from 127\.0\.0\.1:\d+: "Hello, Mallory!"$'),
    "shouting": (hostile.replies_shouting, CRITICAL, r"wrong answer from"),
    "cut": (hostile.replies_cut, CRITICAL, r'wrong answer from .*: "Hello, CHECK-[0-9A-F]{7}"$'),
    "escapes": (hostile.replies_escapes, CRITICAL, r"\\x1b\[2J\\x1b\]0;owned\\x07\\x9b31m\\x00\\x7f\\xff%s%n"),
    "empty": (hostile.replies_empty, CRITICAL, r'wrong answer from .*: ""$'),
    "huge": (hostile.replies_huge, CRITICAL, r'wrong answer from .*\.\.\."$'),
    "echoes": (hostile.echoes, CRITICAL, r'wrong answer from .*: "CHECK-[0-9A-F]+"$'),
    "floods": (hostile.floods_datagrams, OK, r" s$"),
    "forges": (hostile.replies(lambda name: b"|a=1\n"), CRITICAL, r': "\\x7ca=1\\x0a"$'),
}


@pytest.mark.parametrize("case", DATAGRAMS)
@pytest.mark.parametrize("verbosity", ["", "-vvv"])
def test_hostile_datagrams(case, verbosity):
    manner, state, text = DATAGRAMS[case]
    with Datagrams(manner) as server:
        limit = HASTY if text == LOST else PATIENT
        done = at(server.address, "-u", *limit, *verbosity.split(), state=state, lines=None if verbosity else 1)
        if not verbosity:
            assert re.search(text, done.text), done.text
        assert len({data for _, data in server.asked}) == 1


def test_a_lost_datagram_is_repeated():
    with Datagrams(lambda data, source, server: len(server.asked) > 2 and server.say(greeting(data), source)) as server:
        done = at(server.address, "-u", *PATIENT, state=OK)
        assert len(server.asked) >= 3
        # The time that a client waits, and not that of the last try alone.
        assert done.metrics["time"][0] >= 2.9


def test_names_differ():
    with Datagrams(hostile.polite) as server:
        for _ in range(5):
            at(server.address, "-u", *PATIENT, state=OK)
        assert len({data for _, data in server.asked}) == 5
