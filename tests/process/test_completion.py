"""Completion of what an operator types: bash's functions are called as bash would, those for zsh are checked if it is there.

What is offered is compared with what the programs say of themselves, so that an option without completion fails here.
"""

import re
import shlex
import shutil
import subprocess

import pytest

from controlled import helloctl
from helloc import helloc, program
from hellodtest import TREE, run

FOLDER = TREE / "completion"


def complete(program, *words, cwd=None):
    """What bash offers for the last of WORDS, which may be empty."""
    line = [program, *words]
    script = (
        f"source {shlex.quote(str(FOLDER / program))}.bash && complete -p {program} >&2 &&"
        f' COMP_WORDS=({shlex.join(line)}) COMP_CWORD={len(words)} && _{program} && printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "--norc", "-c", script], cwd=cwd, capture_output=True, text=True, check=True)
    assert done.stderr == f"complete -F _{program} {program}\n", done.stderr
    return done.stdout.split("\n")[:-1]


def options(help_text):
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", help_text))


def test_hellod_options():
    assert set(complete("hellod", "")) == options(run("-h").stdout)
    assert complete("hellod", "--ver") == ["--verbose", "--version"]
    assert complete("hellod", "-t", "--d") == ["--dump"]


@pytest.mark.parametrize("words", (["-c"], ["--config"], ["--config", "="]), ids=" ".join)
def test_hellod_files(tmp_path, words):
    (tmp_path / "my own.conf").touch()
    (tmp_path / "other.conf").touch()
    assert complete("hellod", *words, "my", cwd=tmp_path) == ["my own.conf"]
    assert sorted(complete("hellod", *words, *([] if words[-1] == "=" else [""]), cwd=tmp_path)) == ["my own.conf", "other.conf"]


def test_helloctl_commands():
    said = helloctl("-h").stdout.decode()
    commands = set(re.findall(r"^  ([a-z][a-z-]*)", said, re.M))
    assert set(complete("helloctl", "")) == commands | options(said) - {"--json", "--http"}
    assert complete("helloctl", "re") == ["reload"]
    for socket in (["-s", "/run/x"], ["--socket", "/run/x"], ["--socket", "=", "/run/x"], ["-s/run/x"]):
        assert complete("helloctl", *socket, "st") == ["status", "stop"]


def test_helloctl_arguments():
    assert complete("helloctl", "status", "") == ["--json"]
    assert complete("helloctl", "metrics", "") == ["--http"]
    assert complete("helloctl", "log-level", "") == ["err", "warning", "notice", "info", "debug"]
    assert complete("helloctl", "-s", "/run/x", "log-level", "d") == ["debug"]
    assert complete("helloctl", "log-level", "debug", "") == [""]
    assert complete("helloctl", "stop", "") == [""]


def test_helloctl_sockets(tmp_path):
    (tmp_path / "control").touch()
    for words in (["-s"], ["--socket"], ["--socket", "="]):
        assert complete("helloctl", *words, "con", cwd=tmp_path) == ["control"]


COMMANDS = ["talk", "ping", "check", "bench"]


@pytest.fixture
def hosts(tmp_path, monkeypatch):
    """helloc and check_hello are found, and the only host that bash knows is frodo."""
    client = shutil.which(program())
    for name in ("helloc", "check_hello"):
        (tmp_path / name).symlink_to(client)
    (tmp_path / "hosts").write_text("192.0.2.1 frodo\n", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("HOSTFILE", str(tmp_path / "hosts"))


def client_options(*command):
    said = helloc(*command, "--help").stdout.decode()
    return set(re.findall(r"(?m)(?:^|[ ,;])(--?[A-Za-z0-9][\w-]*)", said))


def test_helloc_commands(hosts):
    assert complete("helloc", "") == [*COMMANDS, "frodo"]
    assert complete("helloc", "be") == ["bench"]
    assert complete("helloc", "talk", "") == ["frodo"]
    assert complete("helloc", "fr") == ["frodo"]


@pytest.mark.parametrize("command", ([], *([name] for name in COMMANDS)), ids=" ".join)
def test_helloc_options(hosts, command):
    assert {"-h", "-u", "-4"} <= client_options(*command)
    assert set(complete("helloc", *command, "-")) == client_options(*command)


def test_helloc_values(hosts, tmp_path):
    for words in (["-W"], ["--wait"], ["--wait", "="], ["talk", "-m"]):
        assert complete("helloc", *words, "") == [""]
    assert complete("helloc", "-u", "") == ["frodo"]
    assert complete("helloc", f"{tmp_path}/host") == [f"{tmp_path}/hosts"]


def test_zsh_helloc(hosts):
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not here")
    # What the completion calls is made to print what it was given.
    fakes = """
        compadd() { shift; print -l -- $@ }
        _describe() { print -l -- "${(@)${(@P)4}%%:*}" }
        _hosts() { print hosts }
        _files() { print files }
        _message() { print "value $3" }
    """

    def offered(*line):
        call = f'{fakes}; complete() {{ words=({shlex.join(line)}); CURRENT=$#words; source {FOLDER / "_helloc"} }}; complete'
        done = subprocess.run(["zsh", "-fc", call], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.split()

    assert offered("helloc", "") == [*COMMANDS, "hosts"]
    assert offered("helloc", "talk", "") == ["hosts"]
    assert set(offered("helloc", "-")) == client_options()
    assert set(offered("helloc", "talk", "-")) == client_options()
    assert offered("helloc", "-W", "") == ["value", "seconds"]
    assert offered("helloc", "talk", "/run/x") == ["files"]


@pytest.mark.parametrize("name", ("_hellod", "_helloctl"))
def test_zsh(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert text.startswith(f"#compdef {name[1:]}\n")
    said = run("-h").stdout if name == "_hellod" else helloctl("-h").stdout.decode()
    for word in options(said) | set(re.findall(r"^  ([a-z][a-z-]*)", said, re.M)):
        assert re.search(rf"(?<![\w-]){word}(?![\w-])", text), word
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not here to check the syntax")
    subprocess.run(["zsh", "-n", FOLDER / name], check=True)
