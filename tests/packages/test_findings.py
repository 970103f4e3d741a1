"""What those have to say who read packages and programs for a living: nothing, but what is overridden and explained."""

import platform
import re
import subprocess

import pytest

from worlds import TREE

RPMLINT = TREE / "packaging" / "rpm" / "rpmlint.toml"
PROGRAMS = ("usr/sbin/hellod", "usr/sbin/helloctl", "usr/bin/helloc")

# Where trees are unpacked and built, by our scripts and by anybody.
BUILT_IN = re.compile(rb"(/tmp|/var/tmp|/home|/root|/build)/[\w.+-]+/[\w./+-]*")


def said_by(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def unexplained(path, begin=""):
    """The lines of PATH with BEGIN that no comment stands above; one may stand above several without a gap."""
    missing, explained = [], False
    for line in map(str.strip, path.read_text(encoding="utf-8").splitlines()):
        if line == "" or line.startswith("#"):
            explained = line != ""
        elif line.startswith(begin) and not explained:
            missing.append(f"{path.relative_to(TREE)}: {line}")
    return missing


def test_lintian(worlds):
    changes = next(iter(worlds[0].products("deb", "*.changes").values()))
    status, said = said_by("lintian", "--pedantic", "-I", "-E", "--show-overrides", "--tag-display-limit=0", changes)
    tags = [line for line in said.splitlines() if re.match(r"[A-Z]: ", line) and line[0] not in "NO"]
    assert not tags, said
    assert status == 0 and "O: hellod" in said, said


def test_lintian_overrides_are_explained():
    overrides = list((TREE / "packaging" / "debian").rglob("*lintian-overrides"))
    assert overrides
    assert not [line for path in overrides for line in unexplained(path)]


def test_rpmlint(worlds):
    packages = worlds[0].products("rpm", "*.rpm").values()
    status, said = said_by("rpmlint", "-c", RPMLINT, *packages)
    assert status == 0 and " 0 errors, 0 warnings" in said, said


def test_rpmlint_filters_are_explained():
    assert not unexplained(RPMLINT, '"')


def test_blhc(worlds):
    log = worlds[0].products("deb", "hellod.build")["hellod.build"]
    status, said = said_by("blhc", "--all", "--debian", log)
    assert status == 0, said


@pytest.mark.skipif(platform.machine() != "x86_64", reason="of this processor alone it is known what the compiler can do")
def test_compiled_with_more_than_blhc_knows(worlds, packages):
    """Against stacks that run into other memory, and jumps to where nobody should jump."""
    log = worlds[0].products(packages.kind, "hellod.build")["hellod.build"].read_text(encoding="utf-8")
    compiled = [line for line in log.splitlines() if re.search(r"-o build/obj/\S+\.o ", line)]
    assert len(compiled) > 50
    for flag in ("-fstack-clash-protection", "-fcf-protection", "-fstack-protector-strong", "-fPIE"):
        assert not [line for line in compiled if flag not in line.split()], flag
    assert not [line for line in compiled if not re.search(r"-D_FORTIFY_SOURCE=[23]", line)]


def test_hardened(packages):
    """Without its look for control flow integrity: a program has the mark only if all of it has, and the C library's
    start code has not. What is compiled here has it, see above."""
    for name in PROGRAMS:
        status, said = said_by("hardening-check", "--nocfprotection", packages.root / name)
        assert status == 0, said
        for protection in ("Stack protected", "Fortify Source functions", "Read-only relocations", "Immediate binding"):
            assert f" {protection}: yes" in said, said


def test_stripped(packages):
    """What debuggers want is in packages of its own."""
    for name in PROGRAMS:
        status, said = said_by("readelf", "-SW", packages.root / name)
        assert status == 0 and ".debug_info" not in said and ".symtab" not in said, name


def test_no_trace_of_where_it_was_built(packages, tmp_path):
    """In programs, symbols and units; what is there to be read has paths for examples."""
    places = []
    for path in packages.root.rglob("*"):
        if path.is_symlink() or not path.is_file() or "doc" in path.parts:
            continue
        plain = path
        if path.suffix == ".debug":
            plain = tmp_path / "plain"
            subprocess.run(["objcopy", "--decompress-debug-sections", path, plain], check=True)
        for found in BUILT_IN.finditer(plain.read_bytes()):
            places.append(f"{path.relative_to(packages.root)}: {found[0].decode()}")
    assert not places
