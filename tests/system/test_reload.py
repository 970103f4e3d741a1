"""`systemctl reload` and helloctl: the new configuration is in force when they return, or they say why not."""

import re

import pytest

from service import Service
from watch import wait_until

CONFIG = "/etc/hellod/conf.d/test.conf"
CHANGED = (
    'listen = ( { name = "greeting"; protocol = "greeting"; type = "stream"; answer = "Welcome, %s!"; },\n'
    '{ name = "hello"; protocol = "hello"; type = "datagram"; },\n'
    '{ name = "more"; protocol = "greeting"; type = "stream"; port = 4001; } );\n'
)
BAD = "limits = {\n    connections = 0;\n};\n"
SECOND = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
NOBODY = 4242  # a user and a group without a name


@pytest.fixture(params=["notify", "notify-reload"])
def serving(request, service):
    """hellod serves, as the unit has it or with the drop-in that lets systemd know of reloads."""
    if request.param == "notify-reload":
        if service.machine.version() < 253:
            pytest.skip("this systemd does not know notify-reload")
        service.drop_in("[Service]\nType=notify-reload\n")
    service.systemctl("start")
    assert service.show("Type") == request.param
    return service


def test_a_good_reload(serving):
    master = serving.master()
    with serving.connect() as client:
        client.greeted()
        serving.configure(CHANGED)
        serving.systemctl("reload")
        # Who has been greeted a moment ago may still be answered; in the end all are let go without a reset.
        client.rest()
    assert serving.answer() == b"Welcome, Bob!\n"
    assert serving.answer(host="::1") == b"Welcome, Bob!\n"
    serving.ask(port=4001)
    serving.ask("udp")
    assert (serving.state(), serving.master(), serving.show("NRestarts")) == ("active", master, "0")
    assert serving.show("ReloadResult") == "success"
    assert re.search(rf"; reloaded at {SECOND}$", serving.status_text("reloaded at"))
    serving.machine("rm", CONFIG)
    serving.systemctl("reload")
    assert serving.answer() == b"Hello, Bob!\n"
    serving.wait_for_refusal("127.0.0.1", "::1", port=4001)


def test_a_bad_reload(serving):
    master = serving.master()
    serving.configure(BAD)
    done = serving.try_reload()
    assert done.returncode != 0
    assert (serving.state(), serving.master(), serving.show("NRestarts")) == ("active", master, "0")
    assert serving.show("ReloadResult") == "exit-code"
    errors = [text for priority, text in serving.journal() if priority == 3]
    assert any(text.startswith(f"{CONFIG}:2: ") for text in errors), errors
    assert f"{CONFIG}:2: " in serving.machine("journalctl", "-q", "-o", "cat", "-t", "helloctl", "-n", "5")
    assert re.search(rf"; reload failed at {SECOND}: {CONFIG}:2: ", serving.status_text("reload failed"))
    # The reason is where the message of systemctl points to.
    assert f"{CONFIG}:2: " in serving.systemctl("status")
    serving.ask()
    serving.ask("udp")
    serving.configure(CHANGED)
    serving.systemctl("reload")
    assert serving.answer() == b"Welcome, Bob!\n"
    serving.status_text("; reloaded at")


def test_the_signal_comes_before_the_command(service):
    """As hellod.service says of notify-reload."""
    if service.machine.version() < 253:
        pytest.skip("this systemd does not know notify-reload")
    service.drop_in("[Service]\nType=notify-reload\n")
    service.systemctl("start")
    service.systemctl("reload")
    asked = re.findall(r"reload \d+, asked for by (\S+)", service.texts())
    # The command may come before the reload has begun, and then shares it.
    assert asked in (["SIGHUP", "uid"], ["SIGHUP"]), service.texts()


def test_many_reloads(serving):
    for number in range(10):
        serving.configure(CHANGED.replace("Welcome", f"Number {number}"))
        serving.systemctl("reload")
        assert serving.answer() == b"Number %d, Bob!\n" % number
    assert serving.show("NRestarts") == "0"


def test_a_signal_for_all_reloads_once(service):
    service.systemctl("start")
    master, workers = service.master(), service.processes()
    service.configure(CHANGED)
    service.systemctl("kill", "--signal=HUP")
    wait_until(lambda: service.answer().startswith(b"Welcome"), 10, service.texts)
    service.status_text("reloaded at")
    assert service.texts().count("asked for by SIGHUP") == 1
    assert "killed by signal" not in service.texts()
    wait_until(lambda: service.processes() & workers == {master}, 20, "the end of the old workers")


def test_reload_while_the_journal_stands_still(service):
    service.systemctl("start")
    journald = int(service.machine("systemctl", "show", "--value", "-p", "MainPID", "systemd-journald").strip())
    service.kill("STOP", journald)
    try:
        service.configure(CHANGED)
        service.helloctl("reload")
        assert service.answer() == b"Welcome, Bob!\n"
    finally:
        service.kill("CONT", journald)


# ---- helloctl ----


def test_two_instances_with_helloctl(service):
    instances = [Service(service.machine, f"hellod@{name}.service") for name in "ab"]

    def configure(name, port, word):
        listener = f'name = "it"; protocol = "greeting"; type = "stream"; port = {port}; answer = "{word} %s";'
        service.machine.write(f"/etc/hellod/{name}/hellod.conf", f"listen = ( {{ {listener} }} );\n")

    for it, name, port in zip(instances, "ab", (4001, 4002)):
        configure(name, port, "Hello from")
        it.systemctl("start")
    for name, port in zip("ab", (4001, 4002)):
        configure(name, port, "News of")
    instances[0].systemctl("reload")
    assert instances[0].answer(port=4001) == b"News of Bob\n"
    assert instances[1].answer(port=4002) == b"Hello from Bob\n"
    instances[1].helloctl("reload")
    assert instances[1].answer(port=4002) == b"News of Bob\n"
    for it, port in zip(instances, (4001, 4002)):
        assert f":{port}" in it.helloctl("status")
        it.helloctl("stop")
        wait_until(lambda it=it: it.state() == "inactive", 10, it.state)
        assert it.show("Result") == "success"


def as_somebody(service, groups, *command):
    """Runs COMMAND as a user that nobody knows, in GROUPS besides its own."""
    who = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", f"--groups={groups or NOBODY}", "--"]
    return service.machine.run(*who, *command)


def test_helloctl_is_for_the_group(service):
    service.systemctl("start")
    group = service.machine("id", "-g", "hellod").strip()
    folder, control = service.machine("stat", "-c", "%a %U %G", "/run/hellod", "/run/hellod/control").splitlines()
    assert (folder, control) == ("755 hellod hellod", "660 hellod hellod")
    allowed = as_somebody(service, group, "helloctl", "status")
    assert allowed.returncode == 0, allowed.stdout
    service.configure(CHANGED)
    assert as_somebody(service, group, "helloctl", "reload").returncode == 0
    assert service.answer() == b"Welcome, Bob!\n"
    denied = as_somebody(service, None, "helloctl", "reload")
    assert denied.returncode == 69 and "permission denied" in denied.stdout, denied.stdout


def test_helloctl_after_restart_and_crash(service):
    service.systemctl("start")
    service.systemctl("restart")
    service.helloctl("status")
    old = service.master()
    service.kill("KILL", old)
    service.wait_for_new_master(old, 10)
    service.helloctl("status")
    service.systemctl("stop")
    done = service.machine.run("helloctl", "status")
    assert done.returncode == 69 and "/run/hellod/control" in done.stdout, done.stdout
