"""The command line: checking and showing the config, the log on the terminal, exit codes.

What the config may hold, key by key, is the business of the config's unit tests.
"""

import os
import pty
import re
import socket
import subprocess

import pytest

from clients import Datagram, Stream
from configs import GREETING, HELLO, config_text, write_config
from hellodtest import EXIT_CONFIG, EXIT_OK, EXIT_USAGE, TREE, Hellod, binary, refused, run
from watch import SLOW

SERVES = {"listen": [GREETING, HELLO]}


def config_file(folder, config, conf_d=None):
    return write_config(folder, config, conf_d)


# ---- help, version, usage ----


@pytest.mark.parametrize("option", ("-h", "--help"))
def test_help(option):
    done = run(option)
    assert done.returncode == EXIT_OK and done.stderr == ""
    for name in "-c -t -T -v -V -h --config --check --dump --verbose --version --help".split():
        assert re.search(rf"(?<![\w-]){name}\b", done.stdout), name


@pytest.mark.parametrize("option", ("-V", "--version"))
def test_version(option):
    done = run(option)
    assert done.returncode == EXIT_OK and done.stderr == ""
    first, *rest = done.stdout.splitlines()
    assert re.fullmatch(r"hellod \d+(\.\d+)+\S*", first)
    about = dict(line.split(": ", 1) for line in rest)
    assert re.match(r"(gcc|.*[Cc]lang) ", about["compiler"])
    assert "-fPIE" in about["flags"].split() and "prefix-map" not in about["flags"] and str(TREE) not in about["flags"]
    assert re.fullmatch(r"libconfig [\d.]+ libsystemd \S+ libseccomp [\d.]+", about["built with"])
    assert re.fullmatch(r"glibc [\d.]+, libseccomp [\d.]+", about["running with"])


def test_version_tells_what_the_kernel_offers():
    about = dict(line.split(": ", 1) for line in run("-V").stdout.splitlines()[1:])
    system = os.uname()
    assert about["kernel"] == f"{system.sysname} {system.release}, {system.machine}"
    assert re.fullmatch("(yes|no), (yes|no)", about["UDP segmentation, coalescing"])
    # As the daemon finds it.
    with Hellod({"listen": [HELLO]}) as daemon:
        said = daemon.wait_for_line("^workers are .*")[0]
    if 'sandbox = "off"' in said:
        return  # a sanitizer or valgrind is in the way of the sandbox
    assert ("seccomp and" in said or "by seccomp" in said) == (about["seccomp filters"] == "yes")
    landlock = re.search(r"\(ABI (\d+)\)", said)
    assert about["Landlock ABI"] == (landlock[1] if landlock else "0")


@pytest.mark.parametrize("arguments", ("-x", "--nonsense", "-c", "stray", "-t stray", "--check=yes"))
def test_usage(arguments):
    done = run(*arguments.split())
    assert done.returncode == EXIT_USAGE
    assert done.stdout == "" and "hellod" in done.stderr


# ---- checking ----


@pytest.mark.parametrize("options", (["-t"], ["--check"]), ids=" ".join)
@pytest.mark.parametrize("name", ("-c", "--config"))
def test_check_of_a_good_config(folder, options, name):
    done = run(name, config_file(folder, SERVES), *options)
    assert done.returncode == EXIT_OK, done.stderr


def test_check_of_a_bad_config_names_all_errors(folder):
    text = """workres = 2;
limits = { connections = -5;
           idle_timeout = "long"; };
listen = ( { name = "greeting"; protocol = "greting"; type = "stream";
             address = "127.0.0.1";
             port = 70000; },
           { name = "hello"; protocol = "hello"; type = "datagram"; address = "127.0.0.1"; port = 1;
             answer = "Hello, you!"; } );
"""
    path = config_file(folder, text)
    done = run("-t", "-c", path)
    assert done.returncode == EXIT_CONFIG
    expected = {1: "workers", 2: "connections", 3: "idle_timeout", 4: "greeting", 6: "port", 8: "answer"}
    for line, word in expected.items():
        assert re.search(rf"{re.escape(str(path))}:{line}: .*\b{word}\b", done.stderr), (line, word, done.stderr)


@pytest.mark.parametrize(
    "listener, key",
    (
        ({**GREETING, "type": "datagram"}, "protocol|type"),
        ({**HELLO, "type": "stream"}, "protocol|type"),
        ({**GREETING, "answer": "%s and %s"}, "answer"),
        ({**GREETING, "answer": "100% %s"}, "answer"),
        ({**GREETING, "prompt": "100%"}, None),
        ({**GREETING, "address": "localhost"}, "address"),
        ({**GREETING, "address": "1.2.3.4.5"}, "address"),
        ({**GREETING, "framing": "lines"}, "framing"),
        ({**GREETING, "message_size": 0}, "message_size"),
        ({**GREETING, "path": "/tmp/both"}, "path|address"),
    ),
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_check_of_one_listener(folder, listener, key):
    path = config_file(folder, {"listen": [listener]})
    done = run("-t", "-c", path)
    if key is None:
        assert done.returncode == EXIT_OK, done.stderr
    else:
        assert done.returncode == EXIT_CONFIG
        lines = [n for n, line in enumerate(path.read_text().splitlines(), 1) if re.search(rf"\b({key}) =", line)]
        assert any(f"{path}:{line}: " in done.stderr for line in lines), done.stderr


def test_check_touches_nothing(folder):
    socket_path = folder / "socket"
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        local = {"name": "local", "protocol": "greeting", "type": "stream", "path": str(socket_path)}
        config = {"listen": [{**GREETING, "port": holder.getsockname()[1]}, local]}
        done = run("-t", "-c", config_file(folder, config))
    assert done.returncode == EXIT_OK, done.stderr
    assert not socket_path.exists()


def test_missing_file(folder):
    done = run("-t", "-c", folder / "missing.conf")
    assert done.returncode == EXIT_CONFIG and str(folder / "missing.conf") in done.stderr
    done = run("-c", folder / "missing.conf")
    assert done.returncode == EXIT_CONFIG and str(folder / "missing.conf") in done.stderr


def test_default_file():
    default = re.search(r"\(default (/\S+/hellod/hellod\.conf)\)", run("-h").stdout)[1]  # below the build's SYSCONFDIR
    if os.path.exists(default):
        pytest.skip("this machine has a config of its own")
    done = run("-t")
    assert done.returncode == EXIT_CONFIG and default in done.stderr


def test_bad_config_does_not_start():
    with refused('listen = ( { name = "x";\n pört = 1; } );', EXIT_CONFIG) as failed:
        assert re.search(re.escape(str(failed.config)) + r":2", failed.log())


def test_errors_of_a_start_are_those_of_the_check(folder):
    config = {"workers": 100000, "listen": [{**GREETING, "backlog": -1, "nme": "x"}]}
    with refused(config, EXIT_CONFIG) as failed:
        checked = run("-t", "-c", failed.config)
        found = sorted(re.findall(r"hellod\.conf:(\d+): (.*)", failed.log()))
        assert len(found) == 3
        assert found == sorted(re.findall(r"hellod\.conf:(\d+): (.*)", checked.stderr))


def test_later_file_wins(folder):
    drop_ins = {
        "20-b.conf": "workers = 4;\n\nlimits = { connections = 77; };",
        "10-a.conf": "workers = 3;",
        "z.bak": "nonsense",
    }
    path = config_file(folder, SERVES, drop_ins)
    done = run("-T", "-c", path)
    assert done.returncode == EXIT_OK, done.stderr
    assert re.search(rf"^workers = 4;.*{folder}/conf\.d/20-b\.conf:1\b", done.stdout, re.M), done.stdout
    assert re.search(rf"^\s*connections = 77;.*{folder}/conf\.d/20-b\.conf:3\b", done.stdout, re.M), done.stdout


def test_error_in_a_later_file(folder):
    path = config_file(folder, SERVES, {"10-a.conf": "workers = 3;\n\nworkrs = 1;\n"})
    done = run("-t", "-c", path)
    assert done.returncode == EXIT_CONFIG and f"{folder}/conf.d/10-a.conf:3: " in done.stderr


# ---- showing ----


def values(dump):
    """The lines of a dump without comments."""
    return [re.sub(r"\s*#.*", "", line) for line in dump.splitlines() if re.sub(r"\s*#.*", "", line).strip()]


@pytest.mark.parametrize("option", ("-T", "--dump"))
def test_dump_is_a_config_with_the_same_values(folder, option):
    local = {"name": "local", "protocol": "greeting", "type": "seqpacket", "path": "@hellod", "prompt": 'a "b" \\\t%ß'}
    odd = {**GREETING, "name": "odd", "delay": 0.25, "answer": "%s: 100%%!"}
    open_hello = {**HELLO, "name": "open", "guard": {"text": False}}
    listeners = [GREETING, HELLO, local, odd, open_hello]
    config = {**SERVES, "listen": listeners, "log": {"access": True}, "exempt": ["10.0.0.0/8", "::1"]}
    first = run("-c", config_file(folder, config), option)
    assert first.returncode == EXIT_OK, first.stderr
    again = folder / "again.conf"
    again.write_text(first.stdout)
    second = run("-c", again, option)
    assert second.returncode == EXIT_OK, second.stderr
    assert values(first.stdout) == values(second.stdout)
    assert "delay = 0.25" in first.stdout


def test_dump_says_where_each_value_came_from(folder):
    path = config_file(folder, SERVES)
    done = run("-T", "-c", path)
    number = next(n for n, line in enumerate(path.read_text().splitlines(), 1) if "workers" in line)
    assert re.search(rf"^workers = 2;.*{re.escape(str(path))}:{number}\b", done.stdout, re.M), done.stdout
    assert re.search(r"^\s*drain_timeout = 10\.0;.*default", done.stdout, re.M), done.stdout


def test_dump_of_a_bad_config(folder):
    done = run("-T", "-c", config_file(folder, "workers = -1;"))
    assert done.returncode == EXIT_CONFIG and "hellod.conf:1: " in done.stderr


# ---- the log ----


def once(daemon):
    """One connection and one datagram, whose access lines have been written when this returns, if they are at all."""
    with daemon.connect().greeted() as client:
        client.send(b"disconnect")
        client.expect_end()
    daemon.wait_for_counter("closed_farewell", 1)
    with daemon.datagrams() as client:
        client.expect(b"Bob", b"Hello, Bob!")


ACCESS = (
    r"^Accept new connection from 127\.0\.0\.1:\d+$",
    r"^Connection from 127\.0\.0\.1:\d+ closed\.$",
    r"^Datagram from 127\.0\.0\.1:\d+ answered\.$",
)


@pytest.mark.parametrize(
    "options, config",
    (
        (["-v"], SERVES),
        (["--verbose"], SERVES),
        (["-v", "-v"], SERVES),
        (["-vv"], SERVES),
        ([], {**SERVES, "log": {"access": True}}),
    ),
    ids=("-v", "--verbose", "-v -v", "-vv", "config"),
)
def test_access_lines(options, config):
    with Hellod(config, options=options) as daemon:
        once(daemon)
        for pattern in ACCESS:
            daemon.wait_for_line(pattern)


def test_access_lines_name_the_client(ipv6):
    listeners = [{**GREETING, "address": "::1"}, {**HELLO, "address": "::1"}]
    with Hellod({"listen": listeners}, options=["-v"]) as daemon:
        with Stream(daemon.address("greeting")).greeted() as client:
            port = client.socket.getsockname()[1]
            daemon.wait_for_line(rf"^Accept new connection from \[::1\]:{port}$")
        daemon.wait_for_line(rf"^Connection from \[::1\]:{port} closed\.$")
        with Datagram(daemon.address("hello")) as client:
            client.expect(b"Bob", b"Hello, Bob!")
            daemon.wait_for_line(rf"^Datagram from \[::1\]:{client.socket.getsockname()[1]} answered\.$")


def test_no_access_lines_by_default():
    with Hellod(SERVES) as daemon:
        once(daemon)
        daemon.stop()
        for _, line in daemon.lines:
            assert not any(re.search(pattern, line) for pattern in ACCESS), line


def test_lines_have_a_level_for_the_journal():
    with Hellod(SERVES, options=["-vv"]) as daemon:
        once(daemon)
        daemon.stop()
        assert daemon.raw
        if "HELLOD_WRAPPER" not in os.environ:
            assert all(re.match(r"<[3-7]>\S", line) for line in daemon.raw), daemon.raw


def test_start_says_what_it_serves():
    with Hellod(SERVES) as daemon:
        daemon.wait_for_line(r"^listener greeting: tcp 127\.0\.0\.1:\d+$")
        daemon.wait_for_line(r"^listener hello: udp 127\.0\.0\.1:\d+$")
        daemon.wait_for_line(r"^ready: 2 workers$")


def test_one_worker():
    with Hellod({**SERVES, "workers": 1}) as daemon:
        daemon.wait_for_line(r"^ready: 1 worker")
        assert len(daemon.workers()) == 1


def test_terminal_gets_plain_lines(folder):
    path = config_file(folder, "nonsense = 1;\n")
    master, slave = pty.openpty()
    try:
        done = subprocess.run([binary(), "-c", path], stdin=slave, stdout=slave, stderr=slave, timeout=10 * SLOW)
        os.close(slave)
        slave = None
        said = b""
        try:
            while piece := os.read(master, 4096):
                said += piece
        except OSError:  # a terminal that nobody has open any more
            pass
    finally:
        os.close(master)
        if slave is not None:
            os.close(slave)
    assert done.returncode == EXIT_CONFIG
    assert said and all(line.startswith(b"hellod: ") for line in said.splitlines()), said


def test_check_says_nothing_of_levels(folder):
    # -t is for people: its lines are FILE:LINE: TEXT, which editors understand.
    path = config_file(folder, "nonsense = 1;\n")
    done = run("-t", "-c", path)
    assert done.stderr.startswith(f"{path}:1: "), done.stderr


def test_sample_values_are_used(folder):
    # The text of a config is what the daemon sees, not only what -T shows.
    assert "workers = 2;" in config_text(SERVES)
    with Hellod({**SERVES, "workers": 3}) as daemon:
        assert len(daemon.workers()) == 3
