"""Completion of what an operator types: bash's functions are called as bash would, those for zsh are checked if it is there.

What is offered is compared with what the programs say of themselves, so that an option without completion fails here.
"""

import re
import shlex
import shutil
import subprocess

import pytest

from controlled import helloctl
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
    assert done.stderr == f"complete -F _{program} {program}\n"
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
    assert set(complete("helloctl", "")) == commands | options(said) - {"--json"}
    assert complete("helloctl", "re") == ["reload"]
    for socket in (["-s", "/run/x"], ["--socket", "/run/x"], ["--socket", "=", "/run/x"], ["-s/run/x"]):
        assert complete("helloctl", *socket, "st") == ["status", "stop"]


def test_helloctl_arguments():
    assert complete("helloctl", "status", "") == ["--json"]
    assert complete("helloctl", "log-level", "") == ["err", "warning", "notice", "info", "debug"]
    assert complete("helloctl", "-s", "/run/x", "log-level", "d") == ["debug"]
    assert complete("helloctl", "log-level", "debug", "") == [""]
    assert complete("helloctl", "stop", "") == [""]


def test_helloctl_sockets(tmp_path):
    (tmp_path / "control").touch()
    for words in (["-s"], ["--socket"], ["--socket", "="]):
        assert complete("helloctl", *words, "con", cwd=tmp_path) == ["control"]


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
