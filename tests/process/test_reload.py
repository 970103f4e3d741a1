"""Reload: what the configuration says takes effect without a client noticing, however often and by whomever it is asked
for.

Listeners that come, go and change are in test_reload_listeners.py, reloads that fail in test_reload_failure.py, and
what becomes of those whom the old workers serve in test_drain.py.
"""

import os
import re
import signal
import socket
import threading

from configs import GREETING, HELLO
from hellodtest import EXIT_OK
from manners import Manners
from reloads import Load, Service, converse, inodes, owed, wait_for_end_of, zombies
from rude import FULL, IDLE, SOURCE
from test_supervise import Watch
from watch import descriptors, private_bytes, wait_until
from workers import SANITIZED, measures, settled

LINES = {**GREETING, "framing": "line"}
SLOW_LINES = {**LINES, "name": "slow", "delay": 30.0}
MORE = {**LINES, "name": "more"}
SERVES = {"listen": [LINES, HELLO]}
MANY = 5 if SANITIZED else 20


def says(answer, **more):
    """A config whose answers are ANSWER."""
    return {"listen": [{**LINES, "answer": answer}, {**HELLO, "answer": answer}], **more}


def check_says(service, answer):
    with service.connect() as client, service.datagrams() as other:
        client.greeted().ask(b"Bob\n", answer + b"\n")
        other.expect(b"Bob", answer)


# ---- one reload, whole ----


def test_reload_asked_for_by_signal():
    with Service(SERVES) as service, service.connect().greeted() as old:
        before = service.status()
        assert before.reload["result"] == "none" and before.reload["number"] == 0
        assert (before.service["generation"], before.service["state"]) == (0, "serving")
        after = service.hang_up(says("Hi, %s!"))
        check_says(service, b"Hi, Bob!")
        # Who came before is served as before, and ended when it is silent.
        old.ask(b"Ann\n", b"Hello, Ann!\n")
        old.expect_end()
        old.close()
        assert (after.reload["number"], after.reload["result"], after.reload["reason"]) == (1, "ok", "")
        assert (after.service["generation"], after.service["state"]) == (1, "serving")
        service.wait_for_line("^reload 1, asked for by SIGHUP$")
        service.wait_for_line("^reload 1 done: 2 workers$")
        service.wait_for_line("^generation 0 finishes 1 connections within 10000 ms$")
        wait_for_end_of(service, 0)
        assert service.alone().generations == [1]


def test_reload_asked_for_over_the_control_socket():
    with Service(SERVES) as service, service.control() as control:
        service.rewrite(says("Hi, %s!"))
        control.done("reload")
        # It is answered when the new workers serve, not before.
        check_says(service, b"Hi, Bob!")
        service.wait_for_line(rf"^reload 1, asked for by uid {os.getuid()} \(pid {os.getpid()}\)$")
        service.wait_for_line("^reload 1 done: 2 workers$")
        service.alone()
        # The connection is there for the next.
        service.rewrite(says("Hey, %s!"))
        control.done("reload")
        check_says(service, b"Hey, Bob!")


def test_reload_with_nothing_changed():
    with Service(SERVES) as service:
        before = {name: inodes(service, name) for name in ("greeting", "hello")}
        workers = service.workers()
        service.hang_up()
        service.alone()
        assert not set(workers) & set(service.workers())
        assert {name: inodes(service, name) for name in ("greeting", "hello")} == before
        converse(service)


# ---- what may change ----


def test_number_of_workers():
    with Service({**SERVES, "workers": 2}) as service:
        for count in (4, 1, 3):
            service.reload({**SERVES, "workers": count})
            now = service.alone()
            assert now.service["workers"] == len(now.workers) == len(service.workers()) == count
            assert sorted(worker["slot"] for worker in now.workers) == list(range(count))
            for _ in range(6):
                converse(service)
        totals = settled(service)
        assert totals["accepted"] == totals["closed_end"] == 18 and totals["datagram_answers"] == 18


def test_limit_of_connections():
    def limited(number):
        return {"listen": [LINES, SLOW_LINES, HELLO], "workers": 1, "limits": {"connections": number}}

    with Service(limited(10)) as service:
        with service.connect().greeted(), service.connect().greeted():
            pass
        service.reload(limited(1))
        service.alone()
        held = owed(service)  # a silent one would make room
        with service.connect() as second:
            second.expect_end(FULL)
        held.reset()
        settled(service)
        service.reload(limited(10))
        service.alone()
        held = [owed(service) for _ in range(10)]
        with service.connect() as one_more:
            one_more.expect_end(FULL)
        for client in held:
            client.reset()


def test_limit_of_a_source():
    def limited(number):
        return {**SERVES, "exempt": [], "limits": {"per_source": number}}

    with Service(limited(2)) as service:
        with service.connect().greeted(), service.connect().greeted(), service.connect() as third:
            third.expect_end(SOURCE)
        service.reload(limited(3))
        service.alone()
        with service.connect().greeted(), service.connect().greeted(), service.connect().greeted() as third:
            third.ask(b"Bob\n", b"Hello, Bob!\n")
            with service.connect() as fourth:
                fourth.expect_end(SOURCE)
        service.reload({**limited(0), "exempt": ["127.0.0.0/8"]})
        held = [service.connect().greeted() for _ in range(5)]
        for client in held:
            client.close()


def test_idle_timeout():
    with Service(SERVES) as service:
        service.reload({**SERVES, "limits": {"idle_timeout": 0.2}})
        with service.connect().greeted() as client:
            assert client.rest().rstrip() == IDLE


def test_access_log():
    with Service(SERVES) as service:
        converse(service)
        service.reload({**SERVES, "log": {"access": True}})
        service.alone()
        converse(service)
        service.wait_for_line(r"^Accept new connection from 127\.0\.0\.1:\d+$")
        service.wait_for_line(r"^Datagram from 127\.0\.0\.1:\d+ answered\.$")
        service.reload(SERVES)
        service.alone()
        settled(service)
        since = service.mark()
        converse(service)
        settled(service)
        service.reload()  # whatever the workers wrote is before what the master writes now
        service.alone()
        assert not [text for _, text in service.lines[since:] if "onnection from" in text or "Datagram" in text]


def test_log_level():
    with Service(SERVES) as service:
        assert service.status().service["log_level"] == "info"
        service.reload({**SERVES, "log": {"level": "debug"}})
        assert service.status().service["log_level"] == "debug"
        service.alone()
        service.wait_for_line(r"^worker \d of generation 0 \(pid \d+\) ended with code 0$")
        since = service.mark()
        service.reload({**SERVES, "log": {"level": "err"}})
        assert service.status().service["log_level"] == "err"
        service.alone()
        service.reload()
        service.alone()
        service.reload({**SERVES, "log": {"level": "info"}})
        service.wait_for_line("^reload 4 done: 2 workers$", since=since)
        assert "reload 3" not in service.log()


def test_drop_ins():
    with Service(SERVES) as service:
        service.reload(SERVES, {"10.conf": "workers = 3;\n", "20.conf": "workers = 1;\n"})
        assert service.alone().service["workers"] == 1
        (service.directory / "conf.d" / "20.conf").unlink()
        service.reload()
        assert service.alone().service["workers"] == 3
        (service.directory / "conf.d" / "10.conf").unlink()
        (service.directory / "conf.d").rmdir()
        service.reload()
        assert service.alone().service["workers"] == 2


def test_control_socket_moves(folder):
    with Service({**SERVES, "control": str(folder / "one")}) as service:
        service.control_path = folder / "one"
        with service.control() as waits:
            service.rewrite({**SERVES, "control": str(folder / "two")})
            waits.done("reload")
            service.control_path = folder / "two"
            assert service.status().reload["result"] == "ok"
            assert not (folder / "one").exists()
        service.reload({**SERVES, "control": ""})
        assert not (folder / "two").exists()
        # Without one there is still the signal.
        service.rewrite({**SERVES, "control": str(folder / "one")})
        service.signal(signal.SIGHUP)
        service.control_path = folder / "one"
        wait_until(service.control_path.exists, 5, "the control socket")
        service.wait_for_line("^reload 3 done")
        service.alone()
    assert not (folder / "one").exists()


# ---- nobody notices ----


def test_nobody_is_refused_or_lost():
    # The new workers serve before the old ones stop: whoever comes at any moment is served.
    with Service({**SERVES, "workers": 3}) as service:
        before = {name: inodes(service, name) for name in ("greeting", "hello")}
        with Load(service.address("greeting"), service.address("hello")) as load:
            for _ in range(MANY):
                service.reload()
                load.goes_on()
        service.alone()
        assert {name: inodes(service, name) for name in ("greeting", "hello")} == before
        totals = settled(service)
        assert totals["datagrams"] == totals["datagram_answers"] == load.answers
        assert totals["accepted"] == load.conversations
        assert not totals["closed_killed"] and not totals["closed_reset"]


def test_counters_never_go_backwards():
    with Service({**SERVES, "workers": 3}) as service:
        before = service.status().counters
        with Watch(service), Load(service.address("greeting"), service.address("hello")) as load:
            for count in (3, 1, 4, 2) * (1 if SANITIZED else 3):
                service.reload({**SERVES, "workers": count})
                now = service.status().counters
                assert now.keys() == before.keys()
                assert not [name for name in now if now[name] < before[name]], (before, now)
                before = now
                load.goes_on()
        service.alone()
        totals = settled(service)
        assert service.at_rest() == totals == service.status().counters
        assert totals["accepted"] == load.conversations


def test_new_ones_serve_before_the_old_ones_go():
    with Manners() as manners, Service(SERVES, env=manners.environment) as service:
        old = service.workers()
        manners.hold_one()
        service.signal(signal.SIGHUP)
        wait_until(manners.holds, 5, "a new worker that is held")
        now = service.status()
        assert (now.service["state"], now.reload["result"], now.reload["number"]) == ("reloading", "running", 1)
        # All of the old ones go on, with old connections and new.
        assert sorted(service.pids(0)) == old
        with service.connect().greeted() as client:
            client.ask(b"Bob\n", b"Hello, Bob!\n")
        converse(service)
        assert "generation 0" not in service.log()
        manners.let_go()
        service.wait_for_line("^reload 1 done")
        service.alone()
        assert not set(old) & set(service.workers())


# ---- several at once ----


def test_reload_asked_for_while_one_runs():
    with Manners() as manners, Service(SERVES, env=manners.environment) as service:
        manners.hold_one()
        with service.control() as first, service.control() as second, service.control() as third:
            service.rewrite(says("Hi, %s!"))
            first.send(b"1 reload\n")
            wait_until(manners.holds, 5, "a new worker that is held")
            # These two are too late for the first, which has read the file.
            service.rewrite("workerz = 1;\n")
            second.send(b"1 reload\n")
            third.send(b"1 reload\n")
            service.signal(signal.SIGHUP)
            assert service.status().reload["number"] == 1
            assert first.quiet() and second.quiet() and third.quiet()
            manners.let_go()
            assert first.reply().last == "ok"
            for control in (second, third):
                reply = control.reply()
                assert reply.last.startswith("failed ") and service.where("workerz") in reply.errors[0]
            # Several that wait are one.
            now = service.status()
            assert (now.reload["number"], now.reload["result"]) == (2, "failed")
        check_says(service, b"Hi, Bob!")
        assert service.alone().service["generation"] == 1


def test_storm_of_signals():
    with Service(SERVES) as service:
        for _ in range(50):
            service.signal(signal.SIGHUP)
        service.hang_up(says("Hi, %s!"), seconds=20)
        now = service.alone()
        check_says(service, b"Hi, Bob!")
        assert 1 <= now.reload["number"] <= 51 and now.reload["result"] == "ok"
        assert len(re.findall(r"^reload \d+ done", service.log(), re.M)) == now.reload["number"]


def test_storm_from_all_sides():
    with Service(SERVES) as service:
        failures = []

        def ask():
            try:
                for _ in range(5):
                    with service.control(seconds=20) as control:
                        control.done("reload")
            except BaseException as error:  # for the test to see
                failures.append(error)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
        with Load(service.address("greeting"), service.address("hello"), cut=True) as load:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                service.signal(signal.SIGHUP)
                load.goes_on()
        assert not failures, failures
        service.hang_up()
        service.alone()
        assert settled(service)["closed_killed"] == 0


def test_oldest_of_three_generations_makes_room():
    config = {"listen": [SLOW_LINES, LINES, HELLO], "limits": {"drain_timeout": 100.0}}
    with Service(config) as service:
        clients = []
        for generation in range(3):
            clients.append(owed(service))
            assert service.status().generations == list(range(generation + 1))
            if generation < 2:
                service.reload()
                wait_until(lambda: len(service.workers()) == 2 + generation + 1, 5, "those that nobody keeps to go")
        # The next one ends the first, and nobody else.
        service.reload()
        clients[0].expect_end()
        clients[0].close()
        wait_for_end_of(service, 0)
        assert clients[1].quiet() and clients[2].quiet()
        assert service.status().generations == [1, 2, 3]
        converse(service)
        service.reload()
        clients[1].expect_end()
        clients[1].close()
        wait_for_end_of(service, 1)
        assert clients[2].quiet()
        assert 2 in service.status().generations and service.status().service["generation"] == 4
        assert "killed" not in service.log()
        # A stop ends all of them.
        service.signal(signal.SIGTERM)
        service.insist()
        assert service.wait() == EXIT_OK
        service.assert_clean()
        clients[2].close()


# ---- nothing is left over ----


def test_nothing_is_left_over():
    with Service(SERVES) as service:
        for _ in range(5):  # what is taken once is there
            service.reload()
        service.alone()
        before, memory = descriptors(service.pid), private_bytes(service.pid)
        for _ in range(10 if SANITIZED else 50):
            service.reload()
        service.alone()
        # The client that asked may still be closing.
        wait_until(lambda: descriptors(service.pid) <= before, 5, lambda: f"{before}, not {descriptors(service.pid)}")
        assert len(service.workers()) == 2 and not zombies(service.pid)
        for pid in service.workers():
            assert descriptors(pid) < 30
        if not SANITIZED:
            grown = private_bytes(service.pid) - memory
            print(f"50 reloads: {grown} bytes more")
            assert grown < 128 * 1024
        converse(service)


@measures
def test_memory_of_workers_does_not_grow_with_reloads():
    with Service({**SERVES, "workers": 1}) as service:
        figures = []
        for _ in range(12):
            service.reload()
            service.alone()
            converse(service)
            settled(service)
            figures.append(private_bytes(service.workers()[0]))
        assert figures[-1] - figures[2] < 64 * 1024, figures


def test_failed_reloads_leave_nothing_over():
    with Service(SERVES) as service, socket.create_server(("127.0.0.1", 0)) as other:
        taken = {**GREETING, "name": "bad", "port": other.getsockname()[1]}
        service.fails("workerz = 1;\n")
        service.reload(SERVES)
        before = None
        for _ in range(5 if SANITIZED else 20):
            service.fails("workerz = 1;\n")
            service.fails({"listen": [LINES, MORE, {**MORE, "name": "bad", "address": "1.2.3.x"}]})
            service.fails({"listen": [LINES, MORE, taken]})
            service.alone()
            before = before or descriptors(service.pid)
        wait_until(lambda: descriptors(service.pid) <= before, 5, lambda: f"{before}, not {descriptors(service.pid)}")
        assert not zombies(service.pid)
        converse(service)
