"""`helloc ping` on a terminal: Ctrl-C brings the summary, and what it draws fits."""

import re

import pytest

import hostile
from hostile import Datagrams, Streams
from pinging import ANSWERED, NONE, endless
from screen import Screen


def terminal(*arguments, columns=80):
    """A ping whose terminal is its own, so that Ctrl-C is a signal."""
    return Screen(["setsid", "--ctty", *endless(*arguments)], rows=60, columns=columns)


def test_ctrl_c():
    with Streams(hostile.friendly) as server, terminal("-i", "0.1", *server.operands) as screen:
        screen.wait_for("^tcp seq=2 ")
        screen.type(b"\x03")
        assert screen.wait_end() == ANSWERED
        assert re.match(r"tcp: \d+ sent, \d+ answered, 0 lost \(0 %\)", screen.wait_for("^tcp: ").string)
        screen.wait_for("^tcp +time +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+$")
        screen.wait_for("#$")


def test_ctrl_c_without_any_answer():
    with Datagrams(hostile.ignores) as server, terminal("-u", "-i", "0.1", "-W", "0.05", *server.operands) as screen:
        screen.wait_for("^udp seq=2 lost: no answer in time$")
        screen.type(b"\x03")
        assert screen.wait_end() == NONE
        screen.wait_for(r"^udp: \d+ sent, 0 answered, \d+ lost \(100 %\)")


@pytest.mark.parametrize("columns", (80, 100, 300))
def test_picture_fits(columns):
    """The screen fails when a line reaches the last column."""
    with Streams(hostile.friendly) as tcp, Datagrams(hostile.polite, port=tcp.address[1]):
        with terminal("--both", "-q", "-c", "3", "-i", "0.05", "-W", "20", *tcp.operands, columns=columns) as screen:
            assert screen.wait_end(20) == ANSWERED
            # What it printed last may still be on its way to the screen.
            width = int(min(columns, 160) * 0.4)
            screen.wait_for(rf"^.{{{width},}}#$")


def test_escapes_stay_text():
    """The screen fails on anything but plain text."""
    with Streams(hostile.escapes) as server, terminal("-c", "1", "-W", "1", *server.operands, columns=300) as screen:
        assert screen.wait_end() == NONE
        screen.wait_for(r"\\x1b\[2J\\x1b\]0;owned\\x07")
