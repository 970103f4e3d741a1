"""What the manual pages of helloc show is what it prints, but for the numbers.

This file must not know what any of it means.
"""

import re

import pytest

from configs import GREETING, HELLO
from helloc import Terminal, helloc
from hellodtest import TREE, Hellod
from reloads import owed
from watch import SLOW


def examples(page):
    """{command line: what it prints} of those that a page shows in full."""
    text = (TREE / "man" / f"{page}.1").read_text(encoding="utf-8").replace(".Pp\n", "\n").replace("\\-", "-")
    shown = re.findall(r"^\.Bd -literal.*?\n\$ (.*?)\n(.*?)^\.Ed$", text, re.M | re.S)
    return {line: printed for line, printed in shown if printed}


def form(text):
    """TEXT without what differs from run to run: numbers, how wide they are, bars, and how many rows a picture has."""
    lines = [re.sub(r"[\d.]+", "0", line.replace("#", "")).split() for line in text.splitlines()]
    return [line for number, line in enumerate(lines) if line != ["0", "0"] and (number == 0 or line != lines[number - 1])]


@pytest.fixture(scope="module")
def reach():
    with Hellod({"listen": [GREETING, HELLO]}) as daemon:
        yield {name: daemon.listener(name).reach for name in ("greeting", "hello")}


def test_talk(reach, tmp_path):
    printed = examples("helloc")["helloc"]
    with Terminal(*reach["greeting"], env={"XDG_STATE_HOME": str(tmp_path), "EDITRC": "/nonexistent"}) as terminal:
        at = 0
        for typed in re.findall(r"Your input: (.*)", printed):
            at = terminal.wait_for(b"Your input: ", at)
            terminal.type(f"{typed}\r")
        assert terminal.wait_end() == 0
        terminal.wait_for(re.escape(printed.replace("\n", "\r\n")).encode() + b"$")


def test_message(reach):
    printed = examples("helloc")["helloc -6 -u -m Ada hello.example.org"]
    assert helloc("-u", "-m", "Ada", *reach["hello"]).stdout.decode() == printed


def test_ping(reach):
    printed = examples("helloc-ping")["helloc ping -c 3 192.0.2.1"]
    done = helloc("ping", "-c", 3, "-i", 0.05 * SLOW, "-W", 20, *reach["greeting"])
    assert form(done.stdout.decode()) == form(printed)


def test_check(reach):
    printed = examples("helloc-check")["check_hello -H 192.0.2.7 -w 0.1 -c 1"]
    host, port = reach["greeting"]
    done = helloc("check", "-H", host, "-p", port, "-w", 600, "-c", 600, "-t", 600)
    assert form(done.stdout.decode()) == form(printed)


def test_check_refused():
    printed = examples("helloc-check")["check_hello -H 192.0.2.7"]
    config = {"workers": 1, "listen": [GREETING, {**GREETING, "name": "slow", "delay": 60.0}], "limits": {"connections": 1}}
    with Hellod(config) as daemon:
        holder = owed(daemon)
        host, port = daemon.listener("greeting").reach
        done = helloc("check", "-H", host, "-p", port, "-t", 600)
        holder.reset()
    assert form(done.stdout.decode()) == form(printed)


def test_bench(reach):
    printed = examples("helloc-bench")["helloc bench -d 2"]
    done = helloc("bench", "-d", min(SLOW, 5), "--processes", 1, *reach["greeting"], seconds=60)
    assert form(done.stdout.decode()) == form(printed)
