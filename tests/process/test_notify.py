"""What the service manager hears: sd_notify(3) from the start to the end, and signs of life for its watchdog.

What it hears while a worker is stuck, and while nothing happens, is in test_stuck.py.
"""

import errno
import os
import re
import shlex
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from configs import GREETING, HELLO, write_config
from faults import Faults
from hellodtest import EXIT_CONFIG, EXIT_NO_WORKER, EXIT_OK, EXIT_SOCKETS, Hellod, refused, run
from manager import Manager
from manners import Manners
from test_limits import without_right_to_raise
from watch import SLOW, wait_until
from workers import settled, slots

SERVES = {"listen": [GREETING, HELLO]}
STATUS = "{} workers, {} connections, {} answers so far"
USEC = 600_000  # a watchdog's time
SECONDS = USEC / 1_000_000


@pytest.fixture(scope="module", autouse=True)
def refreshed():
    """What takes some seconds goes on beside the other tests; the one that it belongs to waits for it."""
    with ThreadPoolExecutor(1) as beside:
        yield beside.submit(refresh_status)


def refresh_status():
    with Manager() as manager, Hellod(SERVES, env=manager.environment) as daemon:
        manager.wait_for("READY")
        first = daemon.connect().greeted()
        with daemon.connect() as second:
            second.greeted().ask(b"Bob\n", b"Hello, Bob!\n")
        with daemon.datagrams() as client:
            client.expect(b"Bob", b"Hello, Bob!")
        settled(daemon, live=1)
        start = time.monotonic()
        news = manager.wait_for("STATUS", 8, since=1)
        # While clients are there before the tick it may see them half way.
        if news.fields["STATUS"] != STATUS.format(2, 1, 2):
            news = manager.wait_for("STATUS", 8, since=2)
        assert news.fields == {"STATUS": STATUS.format(2, 1, 2)}
        assert time.monotonic() - start < 8 * SLOW
        first.close()


def ended_with(manager, code):
    """The status of the last message, which says that the service ends with CODE and was never ready."""
    message = manager.wait_for("EXIT_STATUS")
    assert message.fields["EXIT_STATUS"] == str(code)
    assert not manager.having("READY") and not manager.having("STOPPING")
    assert manager.messages[-1] is message and len(manager.having("EXIT_STATUS")) == 1
    return message.fields["STATUS"]


# ---- ready ----


@pytest.mark.parametrize("abstract", (False, True), ids=("path", "abstract"))
def test_ready_is_said_once_by_the_master(abstract):
    with Manager(abstract) as manager, Hellod({**SERVES, "workers": 4}, env=manager.environment) as daemon:
        message = manager.wait_for("READY")
        # Whoever waited for it finds everything there.
        with daemon.connect() as client, daemon.datagrams() as other:
            client.greeted()
            other.expect(b"Bob", b"Hello, Bob!")
        assert message.fields == {"READY": "1", "WATCHDOG": "1", "STATUS": STATUS.format(4, 0, 0)}
        daemon.stop()
        assert {message.pid for message in manager.messages} == {daemon.pid}
        assert len(manager.having("READY")) == 1


def test_ready_is_not_said_before_the_last_worker_is():
    with Manners() as manners, Manager() as manager:
        manners.hold_one()
        env = {**manners.environment, **manager.environment}
        with Hellod({**SERVES, "workers": 4}, env=env, ready=False) as daemon:
            wait_until(manners.holds, 5, "a worker that is held")
            wait_until(lambda: sum(block["ready"] for block in slots(daemon).values()) == 3, 5, "three of four workers")
            assert manners.holds()
            # They serve already, but that is nothing to rely on.
            daemon.connect().greeted().close()
            assert not manager.having("READY") and "ready:" not in daemon.log()
            manners.let_go()
            manager.wait_for("READY")
            assert all(block["ready"] for block in slots(daemon).values())
            daemon.wait_ready()


def test_ready_is_said_when_a_worker_needs_a_second_start():
    with Faults() as faults, Manager() as manager:
        faults.on("epoll_create1", errno.EMFILE, once=True)
        with Hellod({**SERVES, "workers": 3}, env={**faults.environment, **manager.environment}) as daemon:
            message = manager.wait_for("READY")
            assert all(block["ready"] for block in slots(daemon).values())
            assert message.fields["STATUS"] == STATUS.format(3, 0, 0)
            daemon.wait_for_line("ended with code 1")


def test_ready_is_not_said_again_when_a_worker_is_replaced():
    with Manager() as manager, Hellod(SERVES, env=manager.environment) as daemon:
        manager.wait_for("READY")
        pid = slots(daemon)[0]["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: slots(daemon).get(0, {"pid": pid})["pid"] != pid, 5, "another worker")
        wait_until(lambda: slots(daemon).get(0, {"ready": 0})["ready"], 5, "it to be ready")
        daemon.stop()
        assert len(manager.having("READY")) == 1
        assert {message.pid for message in manager.messages} == {daemon.pid}


def test_workers_do_not_know_of_the_manager():
    # Failure 28: children sent messages of their own, and the manager believed them.
    sockets = [socket.create_server(("127.0.0.1", 0))]
    with Manners() as manners, Manager() as manager:
        env = {**manners.environment, **manager.environment, "WATCHDOG_USEC": USEC}
        config = {"workers": 1, "listen": [{**GREETING, "port": sockets[0].getsockname()[1]}]}
        with Hellod(config, sockets=[("greeting", sockets[0])], env=env) as daemon:
            known = daemon.wait_for_line(r"^worker \d+ knows of the manager:(.*)$")
            assert known[1] == ""
            assert daemon.listeners[0].fd == 3
    sockets[0].close()


# ---- stopping ----


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT), ids=("TERM", "INT"))
def test_stopping_is_said_with_the_time_that_it_may_take(number):
    slow = {**GREETING, "framing": "line", "delay": 0.5}
    config = {"listen": [slow], "limits": {"drain_timeout": 7.5}}
    with Manager() as manager, Hellod(config, env=manager.environment) as daemon, daemon.connect() as client:
        manager.wait_for("READY")
        client.greeted().send(b"Bob\n")
        settled(daemon, live=1)
        daemon.signal(number)
        message = manager.wait_for("STOPPING")
        assert message.fields["STOPPING"] == "1" and message.fields["STATUS"]
        # The drain, and something for a master that is late.
        assert 8_000_000 <= int(message.fields["EXTEND_TIMEOUT_USEC"]) <= 15_000_000
        # It comes at the beginning, not when all is over.
        assert daemon.popen.poll() is None
        client.expect(b"Hello, Bob!\n")
        client.close()
        assert daemon.wait() == EXIT_OK
        assert len(manager.having("READY")) == len(manager.having("STOPPING")) == 1
        assert not manager.having("EXIT_STATUS")


def test_stop_while_workers_start():
    with Manners() as manners, Manager() as manager:
        manners.hold_one()
        with Hellod(SERVES, env={**manners.environment, **manager.environment}, ready=False) as daemon:
            wait_until(manners.holds, 5, "a worker that is held")
            daemon.signal(signal.SIGTERM)
            manager.wait_for("STOPPING")
            manners.let_go()
            assert daemon.wait() == EXIT_OK
            assert not manager.having("READY") and not manager.having("EXIT_STATUS")


# ---- starts that fail ----


def test_address_in_use_is_told():
    with socket.create_server(("127.0.0.1", 0)) as other, Manager() as manager:
        port = other.getsockname()[1]
        config = {"listen": [HELLO, {**GREETING, "name": "wanted", "port": port}]}
        with refused(config, EXIT_SOCKETS, env=manager.environment) as failed:
            status = ended_with(manager, EXIT_SOCKETS)
            assert "wanted" in status and "Address already in use" in status
            assert status in failed.log().splitlines()


def test_workers_that_cannot_start_are_told():
    with Faults() as faults, Manager() as manager:
        faults.on("epoll_create1", errno.EMFILE)
        with refused(SERVES, EXIT_NO_WORKER, env={**faults.environment, **manager.environment}):
            assert ended_with(manager, EXIT_NO_WORKER).endswith("epoll: Too many open files")


def test_connections_beyond_the_descriptors_are_told():
    config = {"listen": [GREETING], "limits": {"connections": 500}}
    how = {"rlimits": {"RLIMIT_NOFILE": (256, 256)}, "wrapper": without_right_to_raise()}
    with Manager() as manager, refused(config, EXIT_CONFIG, env=manager.environment, **how) as failed:
        status = ended_with(manager, EXIT_CONFIG)
        assert "limits.connections = 500" in status and failed.where("connections") in status


def test_first_error_of_the_config_is_told():
    with Manager() as manager, refused("workers = -1;\nworkerz = 1;\n", EXIT_CONFIG, env=manager.environment) as failed:
        status = ended_with(manager, EXIT_CONFIG)
        assert status == failed.log().splitlines()[0]
        assert f"{failed.config}:1" in status and "workers" in status
        # Whoever checks a config starts no service.
        count = len(manager.messages)
        assert run("-t", "-c", failed.config, env=manager.environment).returncode == EXIT_CONFIG
        assert len(manager.messages) == count


def test_name_with_a_newline_says_nothing_more(folder):
    odd = folder / "a\nREADY=1\n"
    odd.mkdir()
    with Manager() as manager, socket.create_server(("127.0.0.1", 0)) as other:
        path = write_config(odd, {"listen": [{**GREETING, "port": other.getsockname()[1]}]})
        assert run("-c", path, env=manager.environment).returncode == EXIT_SOCKETS
        assert r"a\x0aREADY=1\x0a/hellod.conf" in ended_with(manager, EXIT_SOCKETS)


# ---- the watchdog ----


def with_watchdog_pid(which):
    """Command words that put the daemon's own process ID, or WHICH, into WATCHDOG_PID."""
    return ["sh", "-c", f'WATCHDOG_PID={which} exec "$@"', "sh", *shlex.split(os.environ.get("HELLOD_WRAPPER", ""))]


def beats(manager):
    """When signs of life came."""
    return [message.time for message in manager.having("WATCHDOG")]


def check_signs_of_life(manager, daemon):
    wait_until(lambda: len(beats(manager)) >= 5, 10, "signs of life")
    # The first goes with READY, when a timer is running already.
    times = beats(manager)[1:]
    gaps = [after - before for before, after in zip(times, times[1:])]
    assert sum(gaps) / len(gaps) > SECONDS / 3 * 0.8 / SLOW, gaps  # those that the test is late to read come together
    assert max(gaps) < SECONDS / 3 + 0.3 * SLOW, gaps
    assert all(message.fields == {"WATCHDOG": "1"} for message in manager.messages[1:])
    assert {message.pid for message in manager.messages} == {daemon.pid}


def test_signs_of_life_come_at_a_third_of_the_time():
    with Manager() as one, Manager() as two:
        with (
            Hellod(SERVES, env={**one.environment, "WATCHDOG_USEC": USEC}) as anybody,
            Hellod(SERVES, env={**two.environment, "WATCHDOG_USEC": USEC}, wrapper=with_watchdog_pid("$$")) as named,
        ):
            check_signs_of_life(one, anybody)
            check_signs_of_life(two, named)


def test_nobody_waits_for_signs_of_life():
    with ExitStack() as stack:
        managers = []
        for usec, which in ((None, "$$"), (USEC, "1"), ("0", "$$"), ("often", "$$")):
            managers.append(stack.enter_context(Manager()))
            env = {**managers[-1].environment, **({} if usec is None else {"WATCHDOG_USEC": usec})}
            stack.enter_context(Hellod(SERVES, env=env, wrapper=with_watchdog_pid(which)))
        start = managers[-1].wait_for("READY").time
        wait_until(lambda: time.monotonic() - start > SECONDS, 5, "a sign of life to be due")
        assert [len(manager.messages) for manager in managers] == [1] * 4


def test_signs_of_life_go_on_while_it_drains():
    slow = {**GREETING, "framing": "line", "delay": 1.5}
    with Manager() as manager:
        with Hellod({"listen": [slow]}, env={**manager.environment, "WATCHDOG_USEC": USEC}) as daemon:
            with daemon.connect() as client:
                client.greeted().send(b"Bob\n")
                settled(daemon, live=1)
                daemon.signal(signal.SIGTERM)
                stopping = manager.wait_for("STOPPING").time
                client.expect(b"Hello, Bob!\n")
                assert len([when for when in beats(manager) if when > stopping]) >= 2
            assert daemon.wait() == EXIT_OK


# ---- no manager ----


@pytest.mark.parametrize("address", ("/nowhere/at/all", "@hellod-nobody-there", "relative", "/" + "a" * 200, ""))
def test_manager_that_is_not_there_is_not_missed(address):
    env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": 30_000}
    with Hellod(SERVES, env=env) as daemon:
        daemon.connect().greeted().close()
        daemon.stop()
        assert not re.search(r"notif|manager|watchdog", daemon.log(), re.IGNORECASE)


def test_manager_that_goes_away_is_not_missed():
    with Manager() as manager, Hellod(SERVES, env={**manager.environment, "WATCHDOG_USEC": 30_000}) as daemon:
        wait_until(lambda: len(beats(manager)) > 3, 5, "signs of life")
        manager.close()
        daemon.connect().greeted().close()
        daemon.stop()


# ---- the status ----


def test_status_is_refreshed_when_it_changes(refreshed):
    refreshed.result()
