"""What packages are made of: NEWS, the changelogs made of it, and the tarball of the sources. Knows nothing of what the
daemon does, nor of the packages themselves.
"""

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
HEADING = re.compile(r"hellod (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)")
TWO = """hellod 0.3.0 (2027-03-01)

- Second one.
- With a text
  of two lines.

hellod 0.2.0 (2027-02-28)

- First one.
"""

pytestmark = pytest.mark.skipif("HELLOD_SANITIZED" in os.environ, reason="no program of ours is run")


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def changelog(tmp_path):
    """Runs packaging/changelog beside a NEWS of its own."""
    (tmp_path / "packaging").mkdir()
    script = shutil.copy2(TREE / "packaging/changelog", tmp_path / "packaging")

    def runner(news, *words):
        (tmp_path / "NEWS").write_text(news, encoding="utf-8")
        return run(script, *words)

    return runner


def test_news_is_of_this_version():
    version = re.search(r"^VERSION := (.*)$", (TREE / "Makefile").read_text(encoding="utf-8"), re.M).group(1)
    news = (TREE / "NEWS").read_text(encoding="utf-8").splitlines()
    assert HEADING.fullmatch(news[0]).group(1) == version, "the first line of NEWS"
    # A changelog of Debian has two columns more, and may have 80.
    for number, line in enumerate(news, 1):
        assert re.fullmatch(r"|(- |  )\S.{,74}", line) or HEADING.fullmatch(line), f"NEWS:{number}"


def test_news_begins_with_the_newest():
    headings = [HEADING.fullmatch(line) for line in (TREE / "NEWS").read_text(encoding="utf-8").splitlines()]
    releases = [(*map(int, found[1].split(".")), found[2]) for found in headings if found]
    assert releases == sorted(set(releases), reverse=True)
    assert [date for *_, date in releases] == sorted((date for *_, date in releases), reverse=True)


def test_debian_changelog(changelog):
    said = changelog(TWO, "deb", "0.3.0").stdout
    own = "hellod (0.3.0-1) unstable; urgency=medium\n\n  * Second one.\n  * With a text\n    of two lines.\n\n -- "
    assert own in said and "  Mon, 01 Mar 2027 00:00:00 +0000\n\nhellod (0.2.0-1)" in said
    assert said.endswith("  Sun, 28 Feb 2027 00:00:00 +0000\n")
    # A build for one release of Debian stands above that.
    before = said[: said.index(own)]
    assert re.fullmatch(r"|hellod \(0\.3\.0-1~bpo\d+\+1\) \w+-backports; .*\n\n  \* .*\n\n -- .* 01:00:00 \+0000\n\n", before)


def test_rpm_changelog(changelog):
    assert changelog(TWO, "rpm", "0.3.0").stdout == (
        "* Mon Mar 01 2027 hellod maintainers <maintainers@hellod.example.org> - 0.3.0-1\n"
        "- Second one.\n- With a text\n  of two lines.\n\n"
        "* Sun Feb 28 2027 hellod maintainers <maintainers@hellod.example.org> - 0.2.0-1\n"
        "- First one.\n"
    )


def test_changelog_begins_with_the_version(changelog):
    assert "0.3.0" not in changelog(TWO, "rpm", "0.2.0").stdout
    # A number that was never released is new on the day of the newest, and has no past.
    said = changelog(TWO, "rpm", "0.2").stdout
    assert re.fullmatch(r"\* Mon Mar 01 2027 .* - 0\.2-1\n- .*not a release\.\n", said)


def test_time_of_packages(changelog):
    assert changelog(TWO, "epoch").stdout == "1803859200\n"


def test_news_without_a_heading(changelog):
    done = changelog("\n" + TWO, "deb", "0.3.0")
    assert done.returncode == 1 and "the first line of NEWS" in done.stderr


def dist(tree, build, **options):
    """The tarball that packaging/dist in TREE makes in BUILD."""
    done = run(tree / "packaging/dist", build, "1.2.3", **options)
    assert done.returncode == 0, done.stderr
    return build / "dist/hellod-1.2.3.tar.gz"


def test_tarball_is_the_same_wherever(tmp_path):
    one = dist(TREE, tmp_path / "one")
    with tarfile.open(one) as archive:
        archive.extractall(tmp_path)
    tree = tmp_path / "hellod-1.2.3"
    assert (tree / ".ci/run").exists() and not (tree / "build").exists()
    # Without git, with what a build and an editor leave, by somebody else.
    for rest in ("build/hellod", "tests/process/__pycache__/x.pyc", ".pytest_cache/README.md"):
        (tree / rest).parent.mkdir()
        (tree / rest).write_text("")
    for path in tree.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path)
    other = dist(tree, tmp_path / "other", env={**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C"}, umask=0o077)
    assert one.read_bytes() == other.read_bytes()


def test_tarball_has_what_git_knows(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("without git it has all that is there")
    tree = tmp_path / "tree"
    (tree / "packaging").mkdir(parents=True)
    for name in ("packaging/dist", "packaging/changelog", "NEWS"):
        shutil.copy2(TREE / name, tree / name)
    for name in ("known", "gone", "unknown"):
        (tree / name).write_text(name)
    run("git", "init", "-q", tree)
    run("git", "-C", tree, "add", "packaging", "NEWS", "known", "gone")
    (tree / "gone").unlink()
    (tree / "known").write_text("as it is now")
    with tarfile.open(dist(tree, tmp_path / "build")) as archive:
        names = archive.getnames()
        text = archive.extractfile("hellod-1.2.3/known").read()
    assert names == [f"hellod-1.2.3/{name}" for name in ("NEWS", "known", "packaging/changelog", "packaging/dist")]
    assert text == b"as it is now"
