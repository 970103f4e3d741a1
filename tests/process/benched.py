"""helloc bench for its tests: runs it, reads its report, and asks of every report what must hold for each.

This file must not know which servers are loaded.
"""

import json
import os

import pytest

from configs import GREETING, HELLO
from helloc import helloc
from hellodtest import Hellod

# Exit code, besides those of helloc.py: some requests were not answered.
FAILED = 1
KINDS = {"timeout", "refused", "turned_away", "closed", "reset", "wrong", "other", "cut_off"}
measures = pytest.mark.skipif("HELLOD_SANITIZED" in os.environ, reason="measures time")
LATENCY = dict.fromkeys(("least", "p50", "p75", "p90", "p99", "p99_9", "p99_99", "most", "mean"), float) | {"count": int}

SCHEMA = {
    "target": {"name": str, "address": str, "type": str, "own_words": bool},
    "load": {
        "loop": str,
        "rate": float,
        "connections": int,
        "processes": int,
        "pipeline": int,
        "messages": int,
        "size": {"least": int, "most": int},
        "timeout_s": float,
    },
    "interrupted": bool,
    "seconds": float,
    "requests": {"sent": int, "answered": int, "failed": int, "unsent": int, "errors": dict.fromkeys(KINDS, int)},
    "connections": {"made": int, "failed": int, "conversations": int, "errors": dict.fromkeys(KINDS, int)},
    "besides": {"late": int, "doubled": int, "strange": int},
    "bytes": {"out": int, "in": int},
    "throughput": float,
    "latency_ms": LATENCY,
    "greeting_ms": LATENCY,
    "over_time": {"width_s": float, "answered": list, "failed": list},
    "own_cpu_s": float,
}


def same_shape(value, shape, where="report"):
    if isinstance(shape, dict):
        assert isinstance(value, dict) and set(value) == set(shape), where
        for name, inner in shape.items():
            same_shape(value[name], inner, f"{where}.{name}")
    elif shape is float:
        assert isinstance(value, (int, float)) and not isinstance(value, bool), where
    else:
        assert type(value) is shape, where


def daemon_with_paths(folder):
    """A daemon of one worker with each kind of listener, its paths in FOLDER, which becomes open to it; not yet started."""
    os.chmod(folder, 0o777)
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and str(parent).count("/") > 1:
            os.chmod(parent, 0o755)
    paths = [
        {"name": "stream", "protocol": "greeting", "type": "stream", "path": f"{folder}/stream"},
        {"name": "packet", "protocol": "greeting", "type": "seqpacket", "path": f"{folder}/packet"},
        {"name": "datagram", "protocol": "hello", "type": "datagram", "path": f"{folder}/datagram"},
    ]
    # Loads are faster than what all datagrams together are answered at by default.
    return Hellod({"listen": [GREETING, HELLO, *paths], "workers": 1, "rate": {"budget": 0}})


def operands(daemon, name):
    """What the command line takes to reach listener NAME."""
    where = daemon.address(name)
    return [where] if isinstance(where, str) else list(where)


def judge(done, code):
    """The report of DONE, which ended with CODE."""
    assert done.returncode == code, (done.returncode, done.stderr, done.stdout)
    return check(json.loads(done.stdout))


def check(report):
    """The report, after a look at what must hold for every one."""
    requests, connections = report["requests"], report["connections"]
    assert set(requests["errors"]) == set(connections["errors"]) == KINDS
    assert requests["failed"] == sum(requests["errors"].values())
    assert connections["failed"] == sum(connections["errors"].values())
    assert requests["sent"] == requests["answered"] + requests["failed"]
    over_time, latency = report["over_time"], report["latency_ms"]
    assert sum(over_time["answered"]) == requests["answered"]
    assert sum(over_time["failed"]) == requests["failed"]
    assert len(over_time["answered"]) == len(over_time["failed"]) <= 400
    if latency is None:
        assert requests["answered"] == 0
    else:
        assert latency["count"] == requests["answered"]
        order = [latency[name] for name in ("least", "p50", "p75", "p90", "p99", "p99_9", "p99_99", "most")]
        assert order == sorted(order) and order[0] > 0
        assert latency["least"] <= latency["mean"] <= latency["most"]
    return report


def bench(*arguments, code=0, seconds=30):
    """Runs it with ARGUMENTS and returns its report."""
    return judge(helloc("bench", "--json", *arguments, seconds=seconds), code)
