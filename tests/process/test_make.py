"""What the Makefile promises: a build that knows when it is out of date, a hardened binary, an install that spares the
config. Builds in a folder of its own; knows nothing of what the daemon does.
"""

import os
import subprocess
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
INSTALLED = {
    "usr/local/bin/helloc": 0o755,
    "usr/local/lib/nagios/plugins/check_hello": 0o755,
    "usr/local/sbin/hellod": 0o755,
    "usr/local/sbin/helloctl": 0o755,
    "usr/local/share/bash-completion/completions/hellod": 0o644,
    "usr/local/share/bash-completion/completions/helloctl": 0o644,
    "usr/local/share/zsh/site-functions/_hellod": 0o644,
    "usr/local/share/zsh/site-functions/_helloctl": 0o644,
    "usr/local/share/bash-completion/completions/helloc": 0o644,
    "usr/local/share/zsh/site-functions/_helloc": 0o644,
    "usr/local/share/man/man1/helloc.1": 0o644,
    "usr/local/share/man/man1/helloc-bench.1": 0o644,
    "usr/local/share/man/man1/helloc-check.1": 0o644,
    "usr/local/share/man/man1/helloc-ping.1": 0o644,
    "usr/local/share/man/man1/check_hello.1": 0o644,
    "usr/local/share/man/man5/hellod.conf.5": 0o644,
    "usr/local/share/man/man8/hellod.8": 0o644,
    "usr/local/share/man/man8/helloctl.8": 0o644,
    "usr/local/share/doc/hellod/examples/socket-only.conf": 0o644,
    "usr/local/share/doc/hellod/examples/prometheus-rules.yml": 0o644,
    "usr/local/share/doc/hellod/examples/grafana-dashboard.json": 0o644,
    "usr/local/lib/systemd/catalog/hellod.catalog": 0o644,
    "usr/local/lib/sysusers.d/hellod.conf": 0o644,
    "etc/hellod/hellod.conf": 0o644,
}

pytestmark = pytest.mark.skipif("HELLOD_SANITIZED" in os.environ, reason="the build is the same with and without sanitizers")


def make(*arguments):
    """What make printed; it must succeed. The make that runs the tests has no part in it."""
    strange = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "CFLAGS", "CPPFLAGS", "LDFLAGS", "DESTDIR", "PREFIX", "SYSCONFDIR")
    environment = {key: value for key, value in os.environ.items() if key not in strange}
    done = subprocess.run(
        ["make", "--no-print-directory", "-j2", *arguments],
        cwd=TREE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A folder in which everything was just built."""
    folder = tmp_path_factory.mktemp("make") / "build"
    make(f"BUILD={folder}")
    return folder


@pytest.fixture
def installed(build, tmp_path):
    """A DESTDIR into which was just installed."""
    make(f"BUILD={build}", f"DESTDIR={tmp_path}", "install")
    return tmp_path


def files(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.parent.name != "system"}


@pytest.mark.seconds(120)
def test_silent_when_all_is_built(build):
    assert make(f"BUILD={build}") == ""
    assert make(f"BUILD={build}", "WERROR=1") == ""


def test_other_flags_build_again(build):
    target = f"{build}/obj/base/log.o"
    assert "-DOTHER" in make(f"BUILD={build}", "CPPFLAGS=-DOTHER", target)
    assert "-DOTHER" not in make(f"BUILD={build}", "CPPFLAGS=-DOTHER", target)
    assert " -c " in make(f"BUILD={build}", target)


def test_the_user_has_the_last_word(build):
    said = make(f"BUILD={build}", "-n", "CFLAGS=-O3 -D_FORTIFY_SOURCE=1", "LDFLAGS=-Wl,-O1", f"{build}/hellod")
    compile_line = next(line for line in said.splitlines() if " -c " in line)
    assert compile_line.index("-O2") < compile_line.index("-O3")
    assert "_FORTIFY_SOURCE=3" not in compile_line
    assert "-Wl,-O1" in said


def test_binary_is_hardened(build):
    def readelf(option):
        return subprocess.run(["readelf", "-W", option, build / "hellod"], capture_output=True, text=True, check=True).stdout

    assert "DYN (Position-Independent Executable" in readelf("-h")
    assert "GNU_RELRO" in readelf("-l")
    stack = next(line for line in readelf("-l").splitlines() if "GNU_STACK" in line)
    assert "RW " in stack and "RWE" not in stack
    assert "BIND_NOW" in readelf("-d")
    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols and "_chk@" in symbols


def test_install(installed):
    assert files(installed) == set(INSTALLED)
    assert (installed / "etc/hellod/conf.d").is_dir()
    for name, mode in INSTALLED.items():
        assert (installed / name).stat().st_mode & 0o777 == mode, name
    assert (installed / "usr/local/lib/nagios/plugins/check_hello").resolve() == installed / "usr/local/bin/helloc"
    assert os.readlink(installed / "usr/local/share/man/man1/check_hello.1") == "helloc-check.1"


@pytest.mark.seconds(120)
def test_install_elsewhere(build, tmp_path):
    elsewhere = ("PREFIX=/usr", "SYSCONFDIR=/opt/etc", "PLUGINDIR=/usr/lib64/nagios/plugins")
    make(f"BUILD={build}", f"DESTDIR={tmp_path}", *elsewhere, "install")
    assert {"usr/sbin/hellod", "opt/etc/hellod/hellod.conf", "usr/lib64/nagios/plugins/check_hello"} <= files(tmp_path)
    assert os.readlink(tmp_path / "usr/lib64/nagios/plugins/check_hello") == "../../../bin/helloc"
    # That is where it looks, although it was built for another place before.
    said = subprocess.run([tmp_path / "usr/sbin/hellod", "--help"], capture_output=True, text=True, check=True).stdout
    assert "(default /opt/etc/hellod/hellod.conf)" in said


def test_install_spares_the_config(build, installed):
    config = installed / "etc/hellod/hellod.conf"
    sample = config.read_text(encoding="utf-8")
    assert "left as it is" not in make(f"BUILD={build}", f"DESTDIR={installed}", "install")
    config.write_text("# mine\n", encoding="utf-8")
    assert "hellod.conf.new" in make(f"BUILD={build}", f"DESTDIR={installed}", "install")
    assert config.read_text(encoding="utf-8") == "# mine\n"
    assert config.with_suffix(".conf.new").read_text(encoding="utf-8") == sample


def test_uninstall_leaves_the_config(build, installed):
    said = make(f"BUILD={build}", f"DESTDIR={installed}", "uninstall")
    assert "left as it is" in said
    assert files(installed) == {"etc/hellod/hellod.conf"}
