"""The examples for Kubernetes: what they refer to is there, pods ask for nothing that the profile "restricted" of pod
security forbids, and Kubernetes' own types are content with them."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from worlds import TREE

FILES = sorted((TREE / "packaging/kubernetes").glob("*.yaml"))
# The types that Kubernetes' API description is made into, and the compiler that compares. They come by npm.
TYPES = ["kubernetes-types@1.30.0", "typescript@5.9.3"]
MODULES = {"v1": "core/v1", "apps/v1": "apps/v1"}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
CRITICAL = 2  # what helloc check ends with when nobody answers; 3 would mean that it does not know an option


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def manifest(request):
    """The objects of a file, by their kind; there is one of each."""
    objects = list(yaml.safe_load_all(request.param.read_text(encoding="utf-8")))
    kinds = {it["kind"]: it for it in objects}
    assert len(kinds) == len(objects)
    return kinds


def workload(manifest):
    return manifest.get("Deployment") or manifest["DaemonSet"]


def pod(manifest):
    return workload(manifest)["spec"]["template"]["spec"]


def container(manifest):
    (only,) = pod(manifest)["containers"]
    return only


def ports(manifest):
    return {port["name"]: port for port in container(manifest)["ports"]}


def test_labels(manifest):
    """Whoever selects pods finds them."""
    labels = workload(manifest)["spec"]["template"]["metadata"]["labels"]
    selectors = [workload(manifest)["spec"]["selector"]["matchLabels"]]
    if "Service" in manifest:
        selectors.append(manifest["Service"]["spec"]["selector"])
    assert all(selector.items() <= labels.items() for selector in selectors)


def test_ports(manifest):
    assert {port["protocol"] for port in ports(manifest).values()} == {"TCP", "UDP"}
    for port in manifest.get("Service", {"spec": {"ports": []}})["spec"]["ports"]:
        assert ports(manifest)[port["targetPort"]]["protocol"] == port["protocol"]


def test_probes(manifest, installed):
    probes = [container(manifest)[name] for name in PROBES]
    assert {kind for probe in probes for kind in probe if kind in ("tcpSocket", "exec")} == {"tcpSocket", "exec"}
    for probe in probes:
        if "tcpSocket" in probe:
            assert ports(manifest)[probe["tcpSocket"]["port"]]["protocol"] == "TCP"
            continue
        program, *arguments = probe["exec"]["command"]
        assert program == "/usr/bin/helloc"
        # 127.0.0.1, where nobody answers: the last -p counts.
        done = subprocess.run([f"{installed}{program}", *arguments, "-p", "1"], stdout=subprocess.PIPE, timeout=60)
        assert done.returncode == CRITICAL, done.stdout
        assert probe["timeoutSeconds"] > int(arguments[arguments.index("-t") + 1])


def test_the_pod_is_restricted(manifest):
    security, of_container = pod(manifest)["securityContext"], container(manifest)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_container["allowPrivilegeEscalation"] is False
    assert of_container["readOnlyRootFilesystem"] is True
    assert of_container["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod(manifest))
    assert "privileged" not in of_container


def test_the_image_is_ours(manifest, version):
    """Its version and its user."""
    assert container(manifest)["image"] == f"hellod:{version}"
    user = re.search(r"^USER (\d+):(\d+)$", (TREE / "packaging/container/Containerfile").read_text(), re.M)
    security = pod(manifest)["securityContext"]
    assert [str(security["runAsUser"]), str(security["runAsGroup"])] == list(user.groups())
    assert f"container_uid={user[1]}\n" in (TREE / "packaging/image-root").read_text()


def test_the_configuration_is_good(manifest, installed, tmp_path):
    (volume,) = pod(manifest)["volumes"]
    (mount,) = container(manifest)["volumeMounts"]
    assert mount["name"] == volume["name"] and mount["mountPath"] == "/etc/hellod"
    assert volume["configMap"]["name"] == manifest["ConfigMap"]["metadata"]["name"]
    for name, text in manifest["ConfigMap"]["data"].items():
        (tmp_path / name).write_text(text)
    command = [installed / "usr/sbin/hellod", "-t", "-c", tmp_path / "hellod.conf"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def test_there_is_time_to_end(manifest):
    pause = container(manifest).get("lifecycle", {"preStop": {"sleep": {"seconds": 0}}})["preStop"]["sleep"]["seconds"]
    drain_timeout = 10
    assert pod(manifest)["terminationGracePeriodSeconds"] > pause + drain_timeout


@pytest.fixture(scope="session")
def types(folder):
    """A folder with TYPES."""
    if not shutil.which("npm"):
        pytest.skip("no npm here, which would bring Kubernetes' types")
    place = folder / "types"
    place.mkdir()
    (place / "package.json").write_text('{"private": true}')
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", *TYPES]
    done = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200)
    if done.returncode != 0:
        pytest.skip(f"npm cannot get Kubernetes' types: {done.stdout.strip().splitlines()[-1]}")
    return place


def typescript(objects):
    """A module that is in order if each of OBJECTS has the type that it says: no other keys, and no other values."""
    lines = []
    for number, it in enumerate(objects):
        kind = f'import("kubernetes-types/{MODULES[it["apiVersion"]]}").{it["kind"]}'
        lines.append(f"export const object{number}: {kind} = {json.dumps(it)};\n")
    return "".join(lines)


def wrong(**changes):
    """A pod whose container is not as it should be."""
    of_container = {"name": "hellod", **changes}
    return {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [of_container]}}


MISTAKES = {
    "key": wrong(livenessprobe={}),
    "type": wrong(ports=[{"containerPort": "many"}]),
    "missing": wrong(ports=[{"protocol": "UDP"}]),
}


@pytest.fixture(scope="session")
def complaints(types):
    """What the compiler says of all files and of all mistakes, line by line."""
    modules = {path.stem: list(yaml.safe_load_all(path.read_text(encoding="utf-8"))) for path in FILES}
    modules |= {name: [it] for name, it in MISTAKES.items()}
    for name, objects in modules.items():
        (types / f"{name}.ts").write_text(typescript(objects))
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "node16", "--moduleResolution", "node16"]
    command = [types / "node_modules/.bin/tsc", *options, *(f"{name}.ts" for name in modules)]
    done = subprocess.run(command, cwd=types, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200)
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_types(complaints, name):
    assert not [line for line in complaints if line.startswith(f"{name}.ts")]


@pytest.mark.parametrize("name", MISTAKES)
def test_the_types_would_tell(complaints, name):
    assert [line for line in complaints if line.startswith(f"{name}.ts")]
    known = {path.stem for path in FILES} | set(MISTAKES)
    assert {line.partition(".ts(")[0] for line in complaints if "): error " in line} <= known
