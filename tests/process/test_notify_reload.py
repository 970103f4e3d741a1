"""What the service manager hears of a reload: RELOADING with the time at its beginning, READY on every way out, and how
it ended for as long as nobody asks again.
"""

import calendar
import errno
import re
import signal
import time

from configs import GREETING, HELLO
from faults import Faults
from hellodtest import EXIT_OK
from manager import Manager
from manners import Manners
from reloads import Service, converse, owed
from watch import SLOW, wait_until
from workers import SANITIZED, settled

LINES = {**GREETING, "framing": "line"}
SERVES = {"listen": [LINES, HELLO]}
WHEN = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
SERVING = r"(\d+) workers, (\d+) connections, (\d+) answers so far"


def reloaded(manager, ask):
    """Calls ASK, which makes a reload happen; the messages RELOADING and READY that it brought."""
    since = len(manager.messages)
    before = time.monotonic_ns() // 1000
    ask()
    reloading = manager.wait_for("RELOADING", since=since)
    ready = manager.wait_for("READY", 10, since=since)
    after = time.monotonic_ns() // 1000
    assert reloading.fields["RELOADING"] == "1" and "READY" not in reloading.fields
    # The clock that the manager compares with its own; both in one datagram, or it is not taken.
    assert before <= int(reloading.fields["MONOTONIC_USEC"]) <= after
    assert manager.messages.index(reloading) < manager.messages.index(ready)
    assert ready.fields["READY"] == "1" and "RELOADING" not in ready.fields
    return reloading, ready


def at(status):
    """The seconds since 1970 of the time in STATUS."""
    return calendar.timegm(time.strptime(re.search(WHEN, status)[0], "%Y-%m-%d %H:%M:%S UTC"))


def test_reload_that_works():
    with Manager() as manager, Service(SERVES, env=manager.environment) as service:
        manager.wait_for("READY")
        converse(service)
        settled(service)
        for ask in (lambda: service.signal(signal.SIGHUP), service.reload):
            start = int(time.time())
            _, ready = reloaded(manager, ask)
            numbers = re.fullmatch(rf"{SERVING}; reloaded at {WHEN}", ready.fields["STATUS"])
            assert numbers and numbers[1] == "2" and numbers[3] == "2", ready
            assert start <= at(ready.fields["STATUS"]) <= time.time()
        service.alone()
        service.stop()
        assert len(manager.having("RELOADING")) == 2 and len(manager.having("READY")) == 3
        assert {message.pid for message in manager.messages} == {service.pid}


def test_reload_that_fails():
    with Manager() as manager, Service(SERVES, env=manager.environment) as service:
        manager.wait_for("READY")
        service.rewrite("workerz = 1;\nworkers = -1;\n")
        _, ready = reloaded(manager, lambda: service.signal(signal.SIGHUP))
        text = rf"{SERVING}; reload failed at {WHEN}: {re.escape(service.where('workerz'))}: .*workerz.*"
        assert re.fullmatch(text, ready.fields["STATUS"]), ready
        # The next one that works takes the failure away.
        service.rewrite(SERVES)
        _, ready = reloaded(manager, lambda: service.signal(signal.SIGHUP))
        assert re.fullmatch(rf"{SERVING}; reloaded at {WHEN}", ready.fields["STATUS"]), ready


def test_reload_whose_workers_fail():
    with Faults() as faults, Manager() as manager:
        with Service(SERVES, env={**manager.environment, **faults.environment}) as service:
            manager.wait_for("READY")
            faults.on("epoll_create1", errno.EMFILE)
            _, ready = reloaded(manager, lambda: service.signal(signal.SIGHUP))
            faults.off("epoll_create1")
            text = rf"{SERVING}; reload failed at {WHEN}: .*Too many open files.*"
            found = re.fullmatch(text, ready.fields["STATUS"])
            assert found and found[1] == "2", ready


def test_reload_without_a_file():
    with Manager() as manager, Service(SERVES, env=manager.environment) as service:
        manager.wait_for("READY")
        service.config.rename(service.directory / "away")
        _, ready = reloaded(manager, lambda: service.signal(signal.SIGHUP))
        assert "reload failed at" in ready.fields["STATUS"] and str(service.config) in ready.fields["STATUS"]


def test_ready_is_not_said_before_the_new_ones_are():
    with Manners() as manners, Manager() as manager:
        with Service(SERVES, env={**manners.environment, **manager.environment}) as service:
            manager.wait_for("READY")
            manners.hold_one()
            service.signal(signal.SIGHUP)
            wait_until(manners.holds, 5, "a new worker that is held")
            manager.wait_for("RELOADING")
            converse(service)
            assert len(manager.having("READY")) == 1
            # Asked twice more: one more reload, with messages of its own.
            service.signal(signal.SIGHUP)
            with service.control() as control:
                control.send(b"1 reload\n")
                manners.let_go()
                assert control.reply().last == "ok"
            service.alone()
            wait_until(lambda: len(manager.having("READY")) == 3, 5, "READY")
            words = [name for message in manager.messages for name in ("RELOADING", "READY") if name in message.fields]
            assert words == ["READY", "RELOADING", "READY", "RELOADING", "READY"]


def test_storm_leaves_the_service_ready():
    with Manager() as manager, Service(SERVES, env=manager.environment) as service:
        manager.wait_for("READY")
        for _ in range(10 if SANITIZED else 30):
            service.signal(signal.SIGHUP)
            converse(service)
        service.hang_up()
        service.alone()
        wait_until(lambda: len(manager.having("READY")) == len(manager.having("RELOADING")) + 1, 5, "READY")
        words = [name for message in manager.messages for name in ("RELOADING", "READY") if name in message.fields]
        assert words == ["READY"] + ["RELOADING", "READY"] * (len(words) // 2)


def test_long_reason_is_cut():
    name = "n" * 60
    config = {"listen": [{**LINES, "name": name, "x" * 2000: 1}]}
    with Manager() as manager, Service(SERVES, env=manager.environment) as service:
        manager.wait_for("READY")
        service.rewrite(config)
        _, ready = reloaded(manager, lambda: service.signal(signal.SIGHUP))
        assert "reload failed at" in ready.fields["STATUS"] and len(ready.fields["STATUS"]) < 1000
        converse(service)


def test_odd_bytes_in_a_reason_say_nothing_more():
    with Manager() as manager, Service(SERVES, env=manager.environment) as service:
        manager.wait_for("READY")
        service.rewrite('user\\x = 1;\n"READY=1\n')
        _, ready = reloaded(manager, lambda: service.signal(signal.SIGHUP))
        assert set(ready.fields) <= {"READY", "STATUS", "WATCHDOG"}


def test_stop_in_a_reload():
    # Whoever hears STOPPING waits for the end; READY would not be true any more.
    with Manners() as manners, Manager() as manager:
        with Service(SERVES, env={**manners.environment, **manager.environment}) as service:
            manager.wait_for("READY")
            manners.hold_one()
            service.signal(signal.SIGHUP)
            wait_until(manners.holds, 5, "a new worker that is held")
            service.signal(signal.SIGTERM)
            stopping = manager.wait_for("STOPPING")
            manners.let_go()
            assert service.wait() == EXIT_OK
            assert not manager.having("READY", since=manager.messages.index(stopping))


def test_signs_of_life_go_on_through_reloads():
    usec = 300_000
    with Manager() as manager, Service(SERVES, env={**manager.environment, "WATCHDOG_USEC": usec}) as service:
        manager.wait_for("READY")
        start = time.monotonic()
        while time.monotonic() - start < 2 * usec / 1e6:
            service.reload()
        beats = [message.time for message in manager.having("WATCHDOG")]
        gaps = [after - before for before, after in zip(beats, beats[1:])]
        assert len(beats) > 3 and max(gaps) < usec / 1e6 + 0.3 * (SLOW - 1), gaps


def test_status_counts_all_generations():
    slow = {**LINES, "name": "slow", "delay": 30.0}
    with Manager() as manager, Service({"listen": [slow, LINES, HELLO]}, env=manager.environment) as service:
        manager.wait_for("READY")
        client = owed(service)
        settled(service, live=1)
        _, ready = reloaded(manager, lambda: service.signal(signal.SIGHUP))
        assert re.match(SERVING, ready.fields["STATUS"]).groups() == ("2", "1", "0"), ready
        client.close()
        service.signal(signal.SIGTERM)
        manager.wait_for("STOPPING")
        service.insist()
        assert service.wait() == EXIT_OK
