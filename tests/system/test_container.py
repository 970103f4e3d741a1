"""The container image, built as its Containerfile says and run as that recommends: read-only, without any capability.

The base is the root of a suite, of one alone for the sake of time, since nothing is to be fetched; networks and control
groups are not tested.
"""

import json
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import SUITES
from machine import hierarchies, run
from watch import wait_until

TREE = Path(__file__).resolve().parents[2]
BASE, IMAGE = "localhost/base", "localhost/hellod"
UID = "65532"
# What is not needed to compile is not packed.
LEFT_OUT = """./usr/share ./usr/lib/python3* ./usr/lib/*/perl* ./usr/include/c++ ./usr/lib/gcc/*/*/cc1plus
    ./usr/lib/gcc/*/*/lto1 ./var ./boot ./dev ./proc ./sys""".split()
CHECK = ("/usr/bin/helloc", "check", "-H", "127.0.0.1")

# pytest takes no test of this file where it is false.
__test__ = "trixie" in SUITES
pytestmark = pytest.mark.skipif(not shutil.which("podman"), reason="no podman here")


class Podman:
    """With storage of its own, below FOLDER."""

    def __init__(self, folder):
        podman = ["podman", f"--root={folder}/storage", f"--runroot={folder}/run", f"--tmpdir={folder}/tmp"]
        podman += ["--cgroup-manager=cgroupfs", "--events-backend=none", "--storage-driver=overlay"]
        # crun takes control groups of one kind or the other, not of both beside each other.
        hide = "".join(f"umount {tree}; " for tree in hierarchies() if tree.name == "unified")
        command = ["unshare", "-m", "--propagation=private", "sh", "-c", f"{hide}echo; exec sleep infinity"]
        self.place = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.place.stdout.readline()
        self.words = ["nsenter", "-m", "-t", str(self.place.pid), *podman]

    def run(self, *words, **options):
        """podman, which may fail; completed, with what it said."""
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 300}
        return subprocess.run([*self.words, *map(str, words)], **{"stdin": subprocess.DEVNULL, **both, **options})

    def __call__(self, *words, **options):
        done = self.run(*words, **options)
        assert done.returncode == 0, f"podman {' '.join(map(str, words))}: {done.returncode}: {done.stdout}"
        return done.stdout

    def load(self, root):
        """The folder ROOT as the image that is built on."""
        left_out = [f"--exclude={path}" for path in LEFT_OUT]
        with subprocess.Popen(["tar", "-C", root, *left_out, "-c", "."], stdout=subprocess.PIPE) as tar:
            self("import", "--quiet", "-", BASE, stdin=tar.stdout)

    def build(self):
        arguments = ["--isolation=chroot", "--format=docker", "--layers=false"]
        arguments += [f"--build-arg=BASE={BASE}", "--build-arg=VERSION=1.2.3"]
        self("build", *arguments, "-t", IMAGE, "-f", TREE / "packaging/container/Containerfile", TREE)

    def close(self):
        self.run("rm", "--all", "--force", "--time=0")
        self.place.kill()
        self.place.wait()


@pytest.fixture(scope="module")
def podman(root, tmp_path_factory):
    it = Podman(tmp_path_factory.mktemp("podman"))
    it.load(root)
    it.build()
    yield it
    it.close()


class Container:
    """A started container, by its number."""

    def __init__(self, podman, *options):
        self.podman = podman
        # podman's own defaults may be more than a container's host, when that is one, lets go.
        limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
        ulimits = [f"--ulimit={name}={resource.getrlimit(which)[1]}" for name, which in limits.items()]
        self.id = podman("run", "--detach", "--network=none", *ulimits, *options, IMAGE).splitlines()[-1]

    def inspect(self, template):
        return self.podman("inspect", "--format", template, self.id).strip()

    def logs(self):
        return self.podman("logs", self.id)

    def exec(self, *words):
        return self.podman.run("exec", self.id, *words)

    def wait_for(self, text):
        wait_until(lambda: text in self.logs(), 20, self.logs)

    def exit_status(self):
        return int(self.podman("wait", self.id))

    def processes(self):
        """Its first process, and the children of that."""
        master = self.inspect("{{.State.Pid}}")
        return [master, *Path(f"/proc/{master}/task/{master}/children").read_text().split()]

    def status(self, pid=None):
        """Of process PID, else of its first one, as /proc has it."""
        lines = Path(f"/proc/{pid or self.processes()[0]}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines)


@pytest.fixture
def start(podman):
    """Starts containers, as the Containerfile recommends it."""
    yield lambda *options: Container(podman, "--read-only", "--cap-drop=ALL", *options)
    podman("rm", "--all", "--force", "--time=0")


@pytest.fixture
def serving(start):
    container = start()
    container.wait_for("ready: ")
    return container


def configuration(tmp_path, text):
    """The option that shows it to a container, in a folder that can be changed."""
    folder = tmp_path / "hellod"
    folder.mkdir(exist_ok=True)
    (folder / "hellod.conf").write_text(text)
    return f"--volume={folder}:/etc/hellod:ro"


def answers_with(answer):
    listener = f'{{ name = "greeting"; protocol = "greeting"; type = "stream"; answer = "{answer}"; }}'
    return f'listen = ( {listener} );\ncontrol = "";\n'


def test_what_the_image_says(podman):
    config = json.loads(podman("image", "inspect", IMAGE))[0]["Config"]
    assert config["User"] == f"{UID}:{UID}"
    assert config["Entrypoint"] == ["/usr/sbin/hellod"]
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert config["Labels"]["org.opencontainers.image.version"] == "1.2.3"
    assert set(config["ExposedPorts"]) == {"3288/tcp", "3288/udp"}


def test_it_is_well(podman, serving):
    assert podman("healthcheck", "run", serving.id) == ""
    assert serving.exec(*CHECK).returncode == 0
    assert serving.exec(*CHECK, "--udp").returncode == 0
    # Nothing in there is amiss by default: all is information.
    assert all(line.startswith("<6>") for line in serving.logs().splitlines())


def test_it_notices_that_nobody_answers(podman, serving):
    serving.podman("kill", "--signal=STOP", serving.id)
    run("kill", "-STOP", *serving.processes()[1:])
    assert podman.run("healthcheck", "run", serving.id).returncode == 1


def test_it_has_no_rights(serving):
    status = serving.status()
    assert status["Uid"].split() == [UID] * 4
    assert status["Gid"].split() == [UID] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0


def test_its_workers_are_confined(serving):
    """The runtime has filters of its own, and lets us have ours."""
    of_master, *of_workers = [int(serving.status(pid)["Seccomp_filters"]) for pid in serving.processes()]
    assert of_master > 1 and set(of_workers) == {of_master + 1}
    assert "workers are confined by seccomp and Landlock (ABI " in serving.logs()


def test_there_is_no_shell(serving):
    assert serving.exec("sh", "-c", "true").returncode == 127
    assert serving.exec("/bin/sh", "-c", "true").returncode == 127


def test_started_as_root_it_becomes_somebody(podman):
    container = Container(podman, "--user=0:0", "--read-only")
    container.wait_for("ready: ")
    assert container.status()["Uid"].split() == [UID] * 4


def test_stop_lets_conversations_end(podman, serving):
    podman("stop", "--time=15", serving.id)
    assert serving.exit_status() == 0
    assert "Terminated: finishing 0 connections" in serving.logs()
    assert "served 0 connections" in serving.logs()


def test_a_mounted_configuration_counts_and_is_reloaded(start, tmp_path):
    container = start(configuration(tmp_path, answers_with("Ahoy, %s!")))
    container.wait_for("ready: ")
    assert container.exec(*CHECK, "-e", "Ahoy, %s!").returncode == 0
    configuration(tmp_path, answers_with("Moin, %s!"))
    container.podman("kill", "--signal=HUP", container.id)
    container.wait_for("reload 1 done")
    assert container.exec(*CHECK, "-e", "Moin, %s!").returncode == 0


def test_an_error_in_the_configuration_is_shown(start, tmp_path):
    container = start(configuration(tmp_path, "\nworker = 2;\n"))
    assert container.exit_status() == 78
    assert '/etc/hellod/hellod.conf:2: unknown key "worker"' in container.logs()
