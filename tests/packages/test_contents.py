"""What is in the packages: the list in `contents` says it all, so that nothing comes or goes without being meant to."""

import fnmatch
import os
from pathlib import Path

LIST = Path(__file__).with_name("contents")


def listed(kind):
    """The entries that packages of KIND should have, by package."""
    expected = {}
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            where, package, *entry = line.split()
            if where in (kind, "both"):
                expected.setdefault(package, set()).add(" ".join(entry))
    return expected


def unlike(entries, others):
    """Those of ENTRIES that none of OTHERS is; either may have patterns."""
    return {
        entry
        for entry in entries
        if not any(fnmatch.fnmatchcase(entry, other) or fnmatch.fnmatchcase(other, entry) for other in others)
    }


def test_packages(packages):
    assert set(packages.paths) == set(listed(packages.kind))


def test_contents(packages):
    surprises = []
    for package, path in packages.paths.items():
        expected, found = listed(packages.kind).get(package, set()), packages.read.contents(path)
        surprises += [f"{package} has {entry}" for entry in sorted(unlike(found, expected))]
        surprises += [f"{package} lacks {entry}" for entry in sorted(unlike(expected, found))]
    assert not surprises, "\n" + "\n".join(surprises)


def test_each_installed_file_is_in_one_package(packages, installed):
    """What `make install` installs. In a package pages are compressed, and plugins may be in lib64."""
    owners = {}
    for package, path in packages.paths.items():
        for entry in packages.read.contents(path):
            name = entry.split()[1].removesuffix(".gz").replace("/lib64/", "/lib/")
            owners.setdefault(name, []).append(package)
    found = (path for path in installed.rglob("*") if path.is_symlink() or path.is_file())
    names = {str(path.relative_to(installed)) for path in found}
    assert names, "nothing was installed"
    assert not {name: owners.get(name) for name in names if len(owners.get(name, [])) != 1}


def test_configuration_is_kept_by_upgrades(packages):
    files = (path for path in (packages.root / "etc").rglob("*") if path.is_file())
    etc = {str(path.relative_to(packages.root)) for path in files}
    assert "etc/hellod/hellod.conf" in etc
    marked = [name for path in packages.paths.values() for name in packages.read.configs(path)]
    assert sorted(marked) == sorted(etc)


def test_links_lead_somewhere(packages):
    links = [path for path in packages.root.rglob("*") if path.is_symlink() and ".build-id" not in path.parts]
    assert len(links) >= 2, "check_hello and its page are links"
    assert [str(path) for path in links if not os.path.exists(path)] == []
