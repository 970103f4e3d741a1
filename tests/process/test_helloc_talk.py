"""helloc talk: with the real daemon, with servers that behave badly, from a pipe and on a terminal.

Each exit code that helloc(1) lists is met here.
"""

import itertools
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

import helloc as client
import hostile
from clients import PROMPT, greeting
from configs import GREETING, HELLO, UPPER
from helloc import DONE, IO, NO_HOST, NOBODY, REFUSED, STRANGE, TOO_LATE, USAGE, Terminal, helloc
from hellodtest import Hellod
from hostile import Datagrams, Streams
from watch import SLOW, wait_until

NAMES = b"Ada\nBob\nJ\xc3\xbcrgen\n"
ANSWERS = b"Hello, Ada!\nHello, Bob!\nHello, J\xc3\xbcrgen!\n"
SHORT = "0.5"  # seconds to wait for what never comes
LONG = 20 * SLOW  # for what does


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """Each kind of listener; where each is, by name, as .operands."""
    folder = tmp_path_factory.mktemp("hellod")
    os.chmod(folder, 0o777)
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and str(parent).count("/") > 1:
            os.chmod(parent, 0o755)
    listeners = [
        GREETING,
        HELLO,
        {**GREETING, "name": "chunk", "framing": "chunk"},
        {**GREETING, "name": "line", "framing": "line"},
        {**GREETING, "name": "words", "prompt": "Wer da?\n", "answer": "Moin %s"},
        {**GREETING, "name": "chunk words", "framing": "chunk", "prompt": "Wer da?", "answer": "%s: moin"},
        {**GREETING, "name": "no prompt", "prompt": ""},
        {**GREETING, "name": "no prompt chunk", "prompt": "", "framing": "chunk"},
        UPPER,
        {"name": "stream path", "protocol": "greeting", "type": "stream", "path": f"{folder}/stream"},
        {"name": "packet path", "protocol": "greeting", "type": "seqpacket", "path": f"{folder}/packet"},
        {"name": "datagram path", "protocol": "hello", "type": "datagram", "path": f"{folder}/datagram"},
    ]
    for listener in listeners:
        listener["name"] = listener["name"].replace(" ", "-")
    with Hellod({"listen": listeners}) as running:
        yield running


def operands(daemon, name):
    where = daemon.address(name)
    return [where] if isinstance(where, str) else list(where)


def asked(server):
    """What was said to SERVER."""
    return [data for _, data in server.asked]


# ---- the command line ----


@pytest.mark.parametrize("words", (["-h"], ["--help"], ["talk", "--help"]), ids=" ".join)
def test_help_fits_a_screen(words):
    done = helloc(*words)
    assert done.returncode == DONE and done.stderr == ""
    lines = done.stdout.decode().splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    for word in "-4 -6 -u -W -m -V -h --ipv4 --ipv6 --udp --wait --message --version --help ping check bench".split():
        assert re.search(rf"(?<![\w-]){word}\b", done.stdout.decode()), word


def test_version():
    done = helloc("-V")
    assert done.returncode == DONE and re.fullmatch(rb"helloc \d+(\.\d+)+\S*\n", done.stdout)


@pytest.mark.parametrize(
    "words",
    (
        *("-x", "-W", "-W 0", "-W -1", "-W x", "-W nan", "-W 3601", "-m", "-4 -6", "a 1 b", "a 0", "a 65536", "a x"),
        *("-4 ::1", "-6 127.0.0.1", "/run/x 3288", "-4 /run/x", "--nonsense"),
    ),
)
def test_usage(words):
    done = helloc(*words.split())
    assert done.returncode == USAGE and done.stdout == b"" and "helloc: " in done.stderr


@pytest.mark.parametrize("name", ("", "a\nb", "a" * 65536, "a" * 130000), ids=len)
def test_a_message_is_one_line_with_bounds(name):
    assert helloc("-m", name).returncode == USAGE


# In a namespace of its own, so that no name server hears of it.
@pytest.mark.netns
def test_a_name_that_nobody_has():
    done = helloc("-W", "2", "-m", "Ada", "no-such-host.invalid")
    assert done.returncode == NO_HOST and done.stderr.startswith("helloc: no-such-host.invalid: ")


# ---- the real daemon ----

STREAMS = ("greeting", "chunk", "line", "stream-path", "packet-path")
DATAGRAMS = ("hello", "datagram-path")


@pytest.mark.parametrize("name", STREAMS + DATAGRAMS)
def test_a_pipe(daemon, name):
    words = ["-u"] if name in DATAGRAMS else []
    done = helloc(*words, *operands(daemon, name), text=NAMES)
    assert (done.returncode, done.stdout, done.stderr) == (DONE, ANSWERS, "")


@pytest.mark.parametrize("name", STREAMS + DATAGRAMS)
def test_one_message(daemon, name):
    words = ["-u"] if name in DATAGRAMS else []
    done = helloc("talk", *words, "-m", "Ada", *operands(daemon, name), text=b"Bob\n")
    assert (done.returncode, done.stdout, done.stderr) == (DONE, b"Hello, Ada!\n", "")


def test_other_words(daemon):
    assert helloc(*operands(daemon, "words"), text=NAMES).stdout == b"Moin Ada\nMoin Bob\nMoin J\xc3\xbcrgen\n"
    assert helloc(*operands(daemon, "chunk-words"), text=NAMES).stdout == b"Ada: moin\nBob: moin\nJ\xc3\xbcrgen: moin\n"


@pytest.mark.parametrize("name", ("no-prompt", "no-prompt-chunk"))
def test_no_greeting(daemon, name):
    """Who is not greeted speaks first, after a moment."""
    assert helloc(*operands(daemon, name), text=NAMES).stdout == ANSWERS
    assert helloc("-m", "Ada", *operands(daemon, name)).stdout == b"Hello, Ada!\n"


def test_upper_does_not_greet(daemon):
    assert helloc(*operands(daemon, "upper"), text=b"Ada\nBob\n").stdout == b"ADA\nBOB\n"


@pytest.mark.parametrize("end", (b"\nEve\n", b"quit\nEve\n", b"disconnect\nEve\n"))
def test_goodbye(daemon, end):
    done = helloc(*operands(daemon, "greeting"), text=b"Ada\n" + end)
    assert (done.returncode, done.stdout) == (DONE, b"Hello, Ada!\n")


def test_disconnect_is_a_name_for_datagrams(daemon):
    assert helloc("-u", *operands(daemon, "hello"), text=b"disconnect\n").stdout == b"Hello, disconnect!\n"


def test_goodbye_is_said():
    with Streams(hostile.friendly) as server:
        assert helloc(*server.operands, text=b"Ada\nquit\n").returncode == DONE
        said = [b"Ada\n", b"disconnect"]
        wait_until(lambda: asked(server) == said, 5, lambda: f"{said}: {asked(server)}")


def test_lines_as_they_come(daemon):
    done = helloc(*operands(daemon, "greeting"), text=b"Ada\r\nB\0b\nlast")
    assert (done.returncode, done.stdout) == (DONE, b"Hello, Ada!\nHello, B\0b!\nHello, last!\n")


def test_many_names(daemon):
    names = [b"%d" % number for number in range(2000)]
    done = helloc(*operands(daemon, "greeting"), text=b"\n".join(names))
    assert done.stdout == b"".join(greeting(name) + b"\n" for name in names)


def test_answers_come_at_once(daemon):
    """Who reads and writes in turn does not wait for a full buffer."""
    words = client.command(*operands(daemon, "greeting"))
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for name in (b"Ada", b"Bob"):
            process.stdin.write(name + b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == greeting(name) + b"\n"
        process.stdin.close()
        assert process.wait(10 * SLOW) == DONE


def test_a_name_too_long(daemon):
    done = helloc(*operands(daemon, "greeting"), text=b"x" * 2000 + b"\nAda\n")
    assert (done.returncode, done.stdout) == (REFUSED, b"")
    assert "refused: Sorry, a name has at most 1024 bytes." in done.stderr


def test_localhost(daemon, ipv6):
    """A name's addresses are tried in turn: nobody is at the other one."""
    port = daemon.address("greeting")[1]
    assert helloc("-m", "Ada", "localhost", port).stdout == b"Hello, Ada!\n"
    assert helloc("-4", "-m", "Ada", "localhost", port).stdout == b"Hello, Ada!\n"
    port = daemon.address("hello")[1]
    assert helloc("-u", "-m", "Ada", "localhost", port).stdout == b"Hello, Ada!\n"


def test_the_kind_of_path(daemon):
    done = helloc("-m", "Ada", *operands(daemon, "datagram-path"))
    assert done.returncode == NOBODY and "it is a datagram socket, for -u" in done.stderr
    done = helloc("-u", "-m", "Ada", *operands(daemon, "stream-path"))
    assert done.returncode == NOBODY and "it is no datagram socket" in done.stderr


# ---- input and output that fail ----


def test_output_is_full(daemon):
    with open("/dev/full", "wb") as full:
        done = helloc("-m", "Ada", *operands(daemon, "greeting"), stdout=full)
    assert done.returncode == IO and "standard output: No space left on device" in done.stderr


def test_the_longest_message():
    def whole(connection, server):
        connection.sendall(PROMPT)
        connection.sendall(greeting(connection.makefile("rb").readline()[:-1]) + b"\n")

    with Streams(whole) as server:
        done = helloc("-m", "x" * 65535, *server.operands)
        assert (done.returncode, done.stdout) == (DONE, greeting(b"x" * 65535) + b"\n")


def test_input_fails(daemon, tmp_path):
    words = client.command(*operands(daemon, "greeting"))
    folder = os.open(tmp_path, os.O_RDONLY)
    done = subprocess.run(words, stdin=folder, capture_output=True, timeout=LONG, check=False)
    os.close(folder)
    assert done.returncode == IO and b"standard input: Is a directory" in done.stderr


@pytest.mark.parametrize("length, code", ((65535, TOO_LATE), (65536, IO), (200000, IO)))
def test_a_line_too_long(length, code):
    with Streams(hostile.greets_and_waits) as server:
        done = helloc("-W", SHORT, *server.operands, text=b"x" * length + b"\n")
        assert done.returncode == code
        assert ("a line has more than 65535 bytes" in done.stderr) == (code == IO)


# ---- servers that behave badly: streams ----


@pytest.mark.parametrize(
    "manner, code, said",
    (
        ("silent", TOO_LATE, "no answer from {name} within 0.5 s$"),
        ("greets_and_waits", TOO_LATE, "no answer from {name} within 0.5 s$"),
        ("closes", STRANGE, "{name} has closed the connection$"),
        ("cut_greeting", STRANGE, "{name} has closed the connection after \"What's\"$"),
        ("cut_answer", STRANGE, '{name} has closed the connection after "Hello, A"$'),
        ("half_closes", STRANGE, "{name} has closed the connection$"),
        ("closes_on_name", STRANGE, "{name} has closed the connection$"),
        ("resets_on_name", STRANGE, "{name} has broken the connection off: Connection reset by peer$"),
        ("half_closes_on_name", STRANGE, "{name} has closed the connection$"),
        ("full", REFUSED, "{name} refused: Sorry, the server is full.$"),
        ("too_many", REFUSED, "{name} refused: Sorry, too many connections from your address.$"),
        ("too_idle", REFUSED, "{name} refused: Sorry, you have been silent for too long.$"),
    ),
)
def test_stream_failures(manner, code, said):
    with Streams(getattr(hostile, manner)) as server:
        wait = SHORT if code == TOO_LATE else LONG
        done = helloc("-W", wait, *server.operands, text=b"Ada\nBob\n")
        host, port = server.operands
        assert (done.returncode, done.stdout) == (code, b""), done.stderr
        assert re.search("^helloc: " + said.format(name=f"{host} port {port}"), done.stderr.strip()), done.stderr


@pytest.mark.parametrize("manner", (hostile.resets, hostile.greets_and_resets))
def test_it_resets(manner):
    """Whether there was a connection depends on who looks first."""
    with Streams(manner) as server:
        done = helloc("-m", "Ada", *server.operands)
        assert done.returncode in (NOBODY, STRANGE) and done.stderr.endswith("Connection reset by peer\n")


@pytest.mark.parametrize("manner", (hostile.floods(), hostile.greets_and_floods))
def test_floods(manner):
    with Streams(manner) as server:
        done = helloc("-W", LONG, *server.operands, text=b"Ada\nBob\n", seconds=30)
        assert (done.returncode, done.stdout) == (STRANGE, b"")
        assert "says more than 131072 bytes without an end" in done.stderr


@pytest.mark.parametrize(
    "manner, answers",
    (
        ("friendly", (greeting(b"Ada"), greeting(b"Bob"))),
        ("byte_by_byte", (greeting(b"Ada"), greeting(b"Bob"))),
        ("wrong", (b"Hello, Mallory!", b"Hello, Mallory!")),
        ("twice", (greeting(b"Ada"), greeting(b"Bob"))),
        ("other_service", (b"500 5.5.1 Command unrecognized",) * 2),
        ("blank", (b"", b"")),
        ("escapes", (greeting(hostile.ESCAPES + b"Ada"), greeting(hostile.ESCAPES + b"Bob"))),
    ),
)
def test_strange_streams(manner, answers):
    """From a pipe to a pipe, what a server says goes out as it came."""
    with Streams(getattr(hostile, manner)) as server:
        done = helloc("-W", LONG, *server.operands, text=b"Ada\nBob\n")
        assert (done.returncode, done.stdout) == (DONE, b"".join(answer + b"\n" for answer in answers))


def chunks(data_of):
    """The tutorial's own server: what one receive returned is the name."""

    def manner(connection, server):
        connection.sendall(PROMPT)
        while (name := server.receive(connection)) and name != b"disconnect":
            for piece in data_of(name):
                connection.sendall(piece)

    return manner


@pytest.mark.parametrize("pieces", (1, 7, 100))
def test_the_tutorials_server(pieces):
    def split(name):
        answer = greeting(name)
        return [answer[i : i + pieces] for i in range(0, len(answer), pieces)]

    with Streams(chunks(split)) as server:
        done = helloc("-W", LONG, *server.operands, text=NAMES)
        assert (done.returncode, done.stdout) == (DONE, ANSWERS)
        # It learns from the first answer that newlines are not wanted.
        said = [b"Ada\n", b"Bob", b"J\xc3\xbcrgen", b"disconnect"]
        wait_until(lambda: asked(server) == said, 5, lambda: f"{said}: {asked(server)}")


def test_an_answer_of_two_lines_stays_one():
    with Datagrams(hostile.replies(lambda name: b"one\n\x1b[2J" + name)) as server:
        assert helloc("-u", *server.operands, text=b"Ada\n").stdout == b"one\\x0a\\x1b[2JAda\n"


def test_an_answer_may_end_in_cr():
    """Alone it ends no line: it belongs to the answer."""
    with Datagrams(hostile.replies(lambda name: name + b"\r")) as server:
        assert helloc("-u", *server.operands, text=b"Ada\n").stdout == b"Ada\r\n"
    with Streams(chunks(lambda name: [b"Moin\r"])) as server:
        assert helloc("-W", LONG, *server.operands, text=b"Ada\nBob\n").stdout == b"Moin\r\nMoin\r\n"


# ---- greetings that come late: the answers are not shifted ----


def greets_late(prompt, make, gap=0, end=b"\n"):
    """Is silent until it has got a name; then greets, waits GAP, and answers as MAKE says. A gap of None: both at once."""

    def manner(connection, server):
        for number, name in enumerate(server.names(connection)):
            if name == b"disconnect":
                return
            late = b"" if number else prompt
            if late and gap is not None:
                connection.sendall(late)
                server.pause(min(gap, 4 / SLOW))  # beyond helloc's patience, which is the same however slow it is
                late = b""
            connection.sendall(late + make(name) + end)

    return manner


def moin(name):
    return b"Moin " + name


@pytest.mark.parametrize("gap", (None, 0, 0.3, 1))
@pytest.mark.parametrize(
    "prompt, make",
    (
        (PROMPT, greeting),
        (PROMPT + b"\n", greeting),
        (PROMPT, moin),
        (b"Wer da?", greeting),
        (b"Wer da?\n", moin),
        (b"220 mail.example ESMTP\r\n", bytes.upper),
        (b"Welcome!\n\nThere are\nmany lines.\n", moin),
        (b"Are you Ada?\n", moin),  # by chance it has the name in it
        (b"", moin),
    ),
)
def test_a_late_greeting_is_no_answer(prompt, make, gap):
    if b"Ada" in prompt:
        gap = None  # later it cannot be told from an answer
    answers = b"".join(make(name) + b"\n" for name in NAMES.split())
    with Streams(greets_late(prompt, make, gap)) as server:
        done = helloc("-W", LONG, *server.operands, text=NAMES)
        assert (done.returncode, done.stdout, done.stderr) == (DONE, answers, "")
        done = helloc("-W", LONG, "-m", "Ada", *server.operands)
        assert (done.returncode, done.stdout, done.stderr) == (DONE, make(b"Ada") + b"\n", "")


@pytest.mark.parametrize("gap", (None, 0, 0.3))
def test_a_late_greeting_without_line_ends(gap):
    with Streams(greets_late(PROMPT, greeting, gap, b"")) as server:
        assert helloc("-W", LONG, *server.operands, text=NAMES).stdout == ANSWERS


def test_a_late_greeting_in_packets(tmp_path):
    manner = greets_late(b"Wer da?", moin, end=b"")
    with Streams(manner, path=tmp_path / "socket", kind=socket.SOCK_SEQPACKET) as server:
        assert helloc("-W", LONG, *server.operands, text=b"Ada\nBob\n").stdout == b"Moin Ada\nMoin Bob\n"


def test_a_late_greeting_byte_by_byte():
    def drip(connection, server):
        name = next(server.names(connection))
        for byte in b"Wer da?\n" + moin(name) + b"\n":
            connection.sendall(bytes([byte]))
            server.pause(0.005)
        hostile.silent(connection, server)

    with Streams(drip) as server:
        assert helloc("-W", LONG, "-m", "Jürgen", *server.operands).stdout == "Moin Jürgen\n".encode()


@pytest.mark.parametrize("prompt, length", ((b"", 2000), (b"Wer da?\n", 2000)))
def test_a_late_greeting_and_a_name_that_is_cut(prompt, length):
    """A server that cuts names is believed by what they begin with."""
    with Streams(greets_late(prompt, lambda name: moin(name[:1024]))) as server:
        done = helloc("-W", LONG, "-m", "x" * length, *server.operands)
        assert (done.returncode, done.stdout) == (DONE, moin(b"x" * 1024) + b"\n")


@pytest.mark.parametrize(
    "words, end, code, said",
    (
        (b"220 mail.example ESMTP\r\n", "wait", TOO_LATE, r'no answer from .* after "220 mail.example ESMTP"$'),
        (b"220 mail.example\n221 Bye\n", "close", STRANGE, r'has closed the connection after "220 mail.example\\x0a221 Bye"$'),
        (b"Sorry, the server is full.\n", "close", REFUSED, "refused: Sorry, the server is full.$"),
        (PROMPT + b"Sorry, you have been silent for too long.\n", "close", REFUSED, "refused: Sorry, you have been silent"),
    ),
)
def test_a_late_greeting_without_an_answer(words, end, code, said):
    """What has not the name in it is no answer of a server that has not spoken first."""

    def manner(connection, server):
        next(server.names(connection))
        hostile.says(words, end)(connection, server)

    with Streams(manner) as server:
        done = helloc("-W", 2 if code == TOO_LATE else LONG, "-m", "Ada", *server.operands)
        assert (done.returncode, done.stdout) == (code, b""), done.stderr
        assert re.search(said, done.stderr.strip()), done.stderr


def test_it_closes_after_each_answer():
    """The answer counts although the end follows; the next name finds nobody."""
    with Streams(hostile.after_name(greeting)) as server:
        done = helloc("-m", "Ada", *server.operands)
        assert (done.returncode, done.stdout) == (DONE, b"Hello, Ada!\n")
        done = helloc(*server.operands, text=b"Ada\nBob\n")
        assert (done.returncode, done.stdout) == (STRANGE, b"Hello, Ada!\n")


def test_it_goes_while_nobody_asks():
    """A pipe that is silent learns of it all the same."""
    with Streams(hostile.after_name(lambda name: greeting(name) + b"\n")) as server:
        read, write = os.pipe()
        words = client.command("-W", LONG, *server.operands)
        with subprocess.Popen(words, stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            os.close(read)
            os.write(write, b"Ada\n")
            assert process.wait(LONG) == STRANGE
            os.close(write)
            assert process.stdout.read() == b"Hello, Ada!\n"
            assert b"has closed the connection" in process.stderr.read()


def test_nobody():
    host, port = hostile.nobody()
    done = helloc("-m", "Ada", host, port)
    assert done.returncode == NOBODY
    assert done.stderr == f"helloc: nobody answers at {host} port {port}: {host}:{port}: Connection refused\n"
    done = helloc("-m", "Ada", "/nowhere/x")
    assert done.returncode == NOBODY and "nobody answers at /nowhere/x: No such file or directory" in done.stderr


def test_a_deaf_port():
    with hostile.Deaf() as server:
        host, port = server.operands
        done = helloc("-W", SHORT, "-m", "Ada", *server.operands)
        assert done.returncode == NOBODY and done.stderr.endswith(f": {host}:{port}: no answer\n")


# ---- servers that behave badly: datagrams ----


@pytest.mark.parametrize(
    "manner, ignored",
    (
        ("ignores", False),
        ("replies_wrong", True),
        ("replies_shouting", True),
        ("replies_cut", True),
        ("replies_empty", True),
        ("from_elsewhere", False),
    ),
)
def test_no_answer_to_datagrams(manner, ignored):
    with Datagrams(getattr(hostile, manner)) as server:
        done = helloc("-u", "-W", SHORT, *server.operands, text=b"Ada\nBob\n")
        assert (done.returncode, done.stdout) == (TOO_LATE, b"")
        assert "within 0.5 s, asked 1 times" in done.stderr
        assert ("1 that came were to something else" in done.stderr) == ignored


@pytest.mark.parametrize("manner", ("polite", "replies_twice", "replies_late", "from_elsewhere_first", "floods_datagrams"))
def test_datagrams(manner):
    with Datagrams(getattr(hostile, manner)) as server:
        done = helloc("-u", "-W", LONG, *server.operands, text=b"Ada\nBob\nEve\n")
        assert (done.returncode, done.stdout) == (DONE, b"Hello, Ada!\nHello, Bob!\nHello, Eve!\n")


def test_asking_again():
    """It waits twice as long each time, and says so."""
    times = []

    def third_time(data, source, server):
        times.append(time.monotonic())
        if len(times) == 3:
            server.say(greeting(data), source)

    with Datagrams(third_time) as server:
        done = helloc("-u", "-W", LONG, "-m", "Ada", *server.operands, seconds=30)
        host, port = server.operands
        assert (done.returncode, done.stdout) == (DONE, b"Hello, Ada!\n")
        assert asked(server) == [b"Ada"] * 3
        assert re.findall(r"no answer from (.*) after (\d) s, asking again", done.stderr) == [
            (f"{host} port {port}", "1"),
            (f"{host} port {port}", "3"),
        ]
    first, second = (after - before for before, after in itertools.pairwise(times))
    assert first > 0.9 and second > 1.9


def test_nobody_for_datagrams():
    host, port = hostile.nobody(socket.SOCK_DGRAM)
    done = helloc("-u", "-W", LONG, "-m", "Ada", host, port)
    assert done.returncode == NOBODY and "Connection refused" in done.stderr


# ---- on a terminal ----


@pytest.fixture
def home(tmp_path):
    """An environment in which the history is in the test's own folder."""
    return {"XDG_STATE_HOME": str(tmp_path), "HOME": "/nonexistent", "EDITRC": "/nonexistent"}


def history(home):
    return os.path.join(home["XDG_STATE_HOME"], "helloc", "history")


def test_terminal(daemon, home):
    with Terminal(*operands(daemon, "greeting"), env=home) as terminal:
        at = terminal.wait_for(rb"^What's your name\?\r\nYour input: ")
        terminal.type("Ada\r")
        at = terminal.wait_for(rb"\r\nFrom server: Hello, Ada!\r\nYour input: ", at)
        terminal.type("Jürk\x7fgen\r")
        at = terminal.wait_for("From server: Hello, Jürgen!\r\nYour input: ".encode(), at)
        terminal.type("\x1b[A\x01x\r")  # the line before, with an x in front
        at = terminal.wait_for("From server: Hello, xJürgen!\r\nYour input: ".encode(), at)
        terminal.type("\x12Ad\r")  # Ctrl-R: a line that has this in it
        at = terminal.wait_for(rb"From server: Hello, Ada!\r\nYour input: ", at)
        terminal.type("quit\r")
        assert terminal.wait_end() == DONE


@pytest.mark.parametrize("keys", ("\r", "quit\r", "disconnect\r", "\x04"))
def test_terminal_goodbye(daemon, home, keys):
    with Terminal(*operands(daemon, "greeting"), env=home) as terminal:
        terminal.wait_for(rb"Your input: ")
        terminal.type(keys)
        assert terminal.wait_end() == DONE


def test_terminal_datagrams(home):
    """Who waits may ask again: silence does not end it."""
    with Datagrams(hostile.every(2, hostile.polite, hostile.ignores)) as server:
        with Terminal("-u", "-W", "0.5", *server.operands, env=home) as terminal:
            at = terminal.wait_for(rb"^Your input: ")
            terminal.type("Ada\r")
            at = terminal.wait_for(rb"helloc: no answer from .* within 0.5 s, asked 1 times\r\nYour input: ", at)
            terminal.type("Ada\r")
            terminal.wait_for(rb"From server: Hello, Ada!\r\nYour input: ", at)
            terminal.type("\x04")
            assert terminal.wait_end() == DONE


@pytest.mark.parametrize("words", ([], ["-m", "Ada"]), ids=" ".join)
def test_escapes_do_not_reach_a_terminal(home, words):
    shown = rb"\\x1b\[2J\\x1b\]0;owned\\x07\\x9b31m\\x00\\x7f\\xff%s%n"
    with Streams(hostile.escapes) as server:
        with Terminal(*words, *server.operands, env=home) as terminal:
            if not words:
                terminal.wait_for(b"^" + shown + rb"\r\nYour input: ")
                terminal.type("Ada\r")
            terminal.wait_for(b"Hello, " + shown + rb"Ada!\r\n")
            if not words:
                terminal.type("quit\r")
            assert terminal.wait_end() == DONE
            assert b"\x1b]" not in terminal.said and b"\x9b" not in terminal.said and b"\0" not in terminal.said


def test_utf8_without_a_locale(daemon, home):
    with Terminal(*operands(daemon, "greeting"), env={**home, "LC_ALL": "C"}) as terminal:
        terminal.wait_for(rb"Your input: ")
        terminal.type("Жанна\x7fа\r")
        terminal.wait_for("From server: Hello, Жанна!\r\nYour input: ".encode())
        terminal.type("\x04")
        assert terminal.wait_end() == DONE


def test_bytes_that_are_no_text_are_not_typed(daemon, home):
    with Terminal(*operands(daemon, "greeting"), env=home) as terminal:
        terminal.wait_for(rb"Your input: ")
        terminal.type(b"A\xff\xc3d\xe2\x82a\r")
        terminal.wait_for(rb"From server: Hello, Ada!\r\nYour input: ")
        terminal.type("\x04")
        assert terminal.wait_end() == DONE


def test_history(daemon, home):
    """It outlives the program, is for its user alone, and has no place in it for ever."""
    for words in (["greeting"], ["hello"]):
        options = ["-u"] if words == ["hello"] else []
        with Terminal(*options, *operands(daemon, words[0]), env=home) as terminal:
            at = terminal.wait_for(rb"Your input: ")
            if not options:
                terminal.type("Jürgen\r")
            else:
                terminal.type("\x1b[A\r")
            terminal.wait_for("From server: Hello, Jürgen!".encode(), at)
            terminal.type("\x04")
            assert terminal.wait_end() == DONE
    assert stat.S_IMODE(os.stat(history(home)).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(history(home))).st_mode) == 0o700


def test_history_is_bounded(daemon, home):
    os.mkdir(os.path.dirname(history(home)))
    with open(history(home), "w", encoding="utf-8") as file:
        file.write("_HiStOrY_V2_\n" + "".join(f"name{number}\n" for number in range(5000)))
    with Terminal(*operands(daemon, "greeting"), env=home) as terminal:
        terminal.wait_for(rb"Your input: ")
        terminal.type("Ada\r")
        terminal.wait_for(rb"From server: Hello, Ada!\r\n")
        terminal.type("\x04")
        assert terminal.wait_end() == DONE
    with open(history(home), encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert len(lines) == 501 and "Ada" in lines[-1]
    assert os.listdir(os.path.dirname(history(home))) == ["history"]


@pytest.mark.parametrize("place", ({"XDG_STATE_HOME": "/proc/nowhere"}, {"XDG_STATE_HOME": "", "HOME": ""}))
def test_no_place_for_history(daemon, home, place):
    with Terminal(*operands(daemon, "greeting"), env={**home, **place}) as terminal:
        terminal.wait_for(rb"Your input: ")
        terminal.type("Ada\r")
        terminal.wait_for(rb"From server: Hello, Ada!\r\nYour input: ")
        terminal.type("\x04")
        assert terminal.wait_end() == DONE


def test_control_c(daemon, home):
    with Terminal(*operands(daemon, "greeting"), env=home) as terminal:
        terminal.wait_for(rb"Your input: ")
        terminal.type("Ada\r")
        terminal.wait_for(rb"From server: Hello, Ada!\r\nYour input: ")
        terminal.type("Bo\x03")
        assert terminal.wait_end() == -signal.SIGINT
    with open(history(home), encoding="utf-8") as file:
        assert "Ada" in file.read()


def test_hang_up(daemon, home):
    with Terminal(*operands(daemon, "greeting"), env=home) as terminal:
        terminal.wait_for(rb"Your input: ")
        assert terminal.hang_up() in (DONE, -signal.SIGHUP)


def says_later(words, end):
    """Greets and answers once; when server.go is set, says WORDS and ends."""

    def manner(connection, server):
        connection.sendall(PROMPT)
        name = next(server.names(connection))
        connection.sendall(greeting(name) + b"\n")
        server.go.wait(LONG)
        connection.sendall(words)
        hostile.finish(connection, server, end)

    return manner


@pytest.mark.parametrize(
    "words, end, shown, code",
    (
        (b"", "close", rb"\r\nhelloc: .* has closed the connection\r\n", STRANGE),
        (b"", "half", rb"\r\nhelloc: .* has closed the connection\r\n", STRANGE),
        (b"", "reset", rb"\r\nhelloc: .* has broken the connection off: Connection reset by peer\r\n", STRANGE),
        (b"Sorry, you have been silent for too long.\n", "close", rb"\r\nhelloc: .* refused: Sorry, you have been silent", REFUSED),
        (b"By the way\x07\n", "wait", rb"\r\nFrom server: By the way\\x07\r\nYour input: ", None),
    ),
)
def test_it_speaks_up_while_one_types(home, words, end, shown, code):
    """What the server does while its client is at the prompt is told at once."""
    with Streams(says_later(words, end)) as server:
        server.go = threading.Event()
        with Terminal(*server.operands, env=home) as terminal:
            terminal.wait_for(rb"Your input: ")
            terminal.type("Ada\r")
            at = terminal.wait_for(rb"From server: Hello, Ada!\r\nYour input: ")
            terminal.type("half a na")
            at = terminal.wait_for(rb"half a na", at)
            server.go.set()
            terminal.wait_for(shown, at)
            if code is None:
                terminal.type("quit\r")
            assert terminal.wait_end() == (code or DONE)


@pytest.mark.parametrize("pieces", (1, 100))
def test_a_late_greeting_while_one_types(home, pieces):
    """It is shown as a greeting, and the next answer is that to the next name."""

    def manner(connection, server):
        server.go.wait(LONG)
        prompt = b"Wer da?\n"
        for begin in range(0, len(prompt), pieces):
            connection.sendall(prompt[begin : begin + pieces])
            server.pause(0.005)
        for _ in server.names(connection):
            connection.sendall(b"500 Was?\n")

    with Streams(manner) as server:
        server.go = threading.Event()
        with Terminal(*server.operands, env=home) as terminal:
            at = terminal.wait_for(rb"^Your input: ")
            server.go.set()
            at = terminal.wait_for(rb"^\r\nWer da\?\r\nYour input: ", at)
            terminal.type("Ada\r")
            terminal.wait_for(rb"^Ada\r\nFrom server: 500 Was\?\r\nYour input: ", at)
            terminal.type("quit\r")
            assert terminal.wait_end() == DONE


def test_a_greeting_later_than_the_first_name_on_a_terminal(home):
    with Streams(greets_late(b"Wer da?\n", moin, 0.3)) as server:
        with Terminal("-W", LONG, *server.operands, env=home) as terminal:
            at = terminal.wait_for(rb"^Your input: ")
            terminal.type("Ada\r")
            terminal.wait_for(rb"^Ada\r\nFrom server: Moin Ada\r\nYour input: ", at)
            terminal.type("quit\r")
            assert terminal.wait_end() == DONE


def test_what_it_says_unasked_does_not_add_up(home):
    """However much is said while nobody asks, all of it was heard: it is no flood."""

    def rambles(connection, server):
        connection.sendall(PROMPT)
        server.go.wait(LONG)
        for _ in range(200):
            connection.sendall(b"x" * 999 + b"\n")
        connection.sendall(b"the end\n")
        hostile.silent(connection, server)

    with Streams(rambles) as server:
        server.go = threading.Event()
        with Terminal(*server.operands, env=home) as terminal:
            at = terminal.wait_for(rb"Your input: ")
            server.go.set()
            terminal.wait_for(rb"the end\r\nYour input: ", at)
            terminal.type("quit\r")
            assert terminal.wait_end() == DONE
