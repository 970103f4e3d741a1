"""Runs `helloc ping` for a test, and takes apart what it prints.

This file must not know what is pinged.
"""

import json
import re
import subprocess

from helloc import command, helloc
from watch import SLOW

ANSWERED, NONE, TROUBLE = 0, 1, 2  # exit codes

PATIENT = ("-i", "0.05", "-W", "20")  # no machine is too slow for an answer
IN_TURN = ("-i", 0.05 * SLOW, "-W", "20")  # nor for one before the next probe
BRIEF = ("-c", "1", "-W", 0.2 * SLOW)  # for what is lost in any case

# A line about a probe over TCP that was answered.
TCP_LINE = re.compile(
    r"tcp seq=(?P<seq>\d+) connect=(?P<connect>\d+\.\d{3}) greeting=(?P<greeting>\d+\.\d{3})"
    r" answer=(?P<answer>\d+\.\d{3}) time=(?P<time>\d+\.\d{3}) ms"
)
UDP_LINE = re.compile(r"udp seq=(?P<seq>\d+) time=(?P<time>\d+\.\d{3}) ms")


def ping(*arguments, stdout=subprocess.PIPE):
    """Runs it to its end; returns subprocess.CompletedProcess with texts in .stdout and .stderr, and the lines in .lines."""
    done = helloc("ping", *arguments, seconds=30, stdout=stdout)
    done.stdout = (done.stdout or b"").decode()
    done.lines = done.stdout.splitlines()
    return done


def endless(*arguments):
    """The words that run it."""
    return command("ping", *arguments)


def ping_json(*arguments):
    """The same with --json: .events are those of the probes, .sides the summary's transports by name."""
    done = ping("--json", *arguments)
    assert done.stderr == "", done.stderr
    objects = [json.loads(line) for line in done.lines]
    assert all(list(one)[0] == "event" for one in objects) or "-D" in arguments
    done.events, done.summary = objects[:-1], objects[-1]
    assert done.summary["event"] == "summary"
    done.sides = {side["transport"]: side for side in done.summary["transports"]}
    return done


def kinds(done, transport=None):
    """(event, seq) of each event, in order."""
    return [(one["event"], one.get("seq")) for one in done.events if transport in (None, one["transport"])]


def counts(side):
    """The counters of SIDE that are not 0."""
    return {key: value for key, value in side.items() if isinstance(value, int) and value and key != "loss_percent"}
