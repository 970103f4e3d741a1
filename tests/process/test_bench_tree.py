"""What the comparison with other servers stands on: the processor time of a whole server, the dead included; a server that
is gone with all its processes; and the tutorial's servers, which answer as they did. Measures no server.
"""

import os
import socket
import sys
from pathlib import Path

import pytest

import watch

BENCH = Path(__file__).resolve().parents[2] / "tests" / "bench"

sys.path.insert(0, str(BENCH))
import tree  # noqa: E402  the folder had to be named first
from processes import Failure  # noqa: E402

PROMPT, NAME, HELLO = b"What's your name?", b"Bob", b"Hello, Bob!"
BURN_S = 0.15
CLOCK_S = 0.02  # of dead children the kernel tells ticks

# A server that says it is ready after it has burnt so much: by itself, in a thread that ended, in a child that ended, in a
# child of that, and in a child that stays and no longer hears the signal that ends the server.
BUSY = f"""
import os, signal, threading, time
def burn():
    end = time.process_time() + {BURN_S}
    while time.process_time() < end:
        pass
def child(then):
    pid = os.fork()
    if not pid:
        burn()
        then()
        os._exit(0)
    return pid
burn()
thread = threading.Thread(target=burn); thread.start(); thread.join()
os.waitpid(child(lambda: os.waitpid(child(lambda: None), 0)), 0)
def stay():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ready", flush=True)
    signal.pause()
child(stay)
signal.pause()
"""


def start(words, place, port=0):
    return tree.Tree([sys.executable, *words], min(os.sched_getaffinity(0)), port, place)


def alive(pid, before):
    """True if the process PID, whose fields were BEFORE, is there and no zombie."""
    now = tree.processes().get(pid)
    return now is not None and now[tree.BORN] == before[tree.BORN] and now[0] != "Z"


def test_all_of_a_server_is_counted_and_ended(tmp_path):
    with start(["-c", BUSY], tmp_path) as server:
        watch.wait_until(lambda: "ready" in server.output.read_text(), 30, "the server is ready")
        spent_s = server.spent_ns() / 1e9
        members = tree.tree(server.child.pid)
        assert len(members) == 2
    assert spent_s >= 5 * BURN_S - CLOCK_S
    watch.wait_until(lambda: not any(alive(pid, fields) for pid, fields in members.items()), 10, "all of it is gone")


def test_a_server_that_ends_at_once_says_why(tmp_path):
    with start(["-c", "raise SystemExit('no such luck')"], tmp_path, tree.free_port()) as server:
        with pytest.raises(Failure, match="no such luck"):
            server.wait_until_it_answers(socket.SOCK_STREAM, (PROMPT, NAME, HELLO))


@pytest.mark.netns  # where no other test takes the port
@pytest.mark.parametrize("words, kind, asked", [
    (["tutorial_threads.py"], socket.SOCK_STREAM, (PROMPT, NAME, HELLO)),
    (["tutorial_socketserver.py", "tcp"], socket.SOCK_STREAM, (PROMPT, NAME, HELLO)),
    (["tutorial_socketserver.py", "udp"], socket.SOCK_DGRAM, (b"", NAME, HELLO)),
], ids=["threads", "socketserver", "datagrams"])
def test_the_tutorials_servers_answer(tmp_path, words, kind, asked):
    port = tree.free_port()
    with start([BENCH / words[0], *words[1:], port], tmp_path, port) as server:
        server.wait_until_it_answers(kind, asked)
        with pytest.raises(Failure, match="Hello, Bob"):
            tree.answers(kind, port, (asked[0], NAME, b"Hello, Rob!"))
