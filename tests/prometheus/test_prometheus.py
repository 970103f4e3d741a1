"""A real Prometheus takes the metrics, and the alerts and the dashboard of doc mean something to it."""

import re
import subprocess
from pathlib import Path

import pytest

from configs import GREETING, HELLO
from monitoring import RULES, alerts, names, panels
from reloads import Service, converse
from scraped import Metrics, Server, scrape
from watch import wait_until
from watched import Prometheus

HERE = Path(__file__).resolve().parent


def promtool(*words, data=None):
    done = subprocess.run(["promtool", *map(str, words)], input=data, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def service():
    with Service({"listen": [GREETING, HELLO], "workers": 2}) as service:
        converse(service)
        yield service


@pytest.fixture(scope="module")
def prometheus(service):
    """Which has scraped the service a few times while it answered."""
    with Server(service.control_path) as server, Prometheus(server.port) as prometheus:
        for count in range(1, 6):
            converse(service)
            wait_until(lambda n=count: scrapes(prometheus) >= n, 60, prometheus.log)
        yield prometheus


def scrapes(prometheus):
    return sum(number for _, number in prometheus.now('count_over_time(up{job="hellod"}[1h])'))


def test_metrics_are_without_fault(service):
    status, said = promtool("check", "metrics", data=scrape(service.control_path).body)
    assert (status, said) == (0, "")


def test_rules_are_without_fault():
    status, said = promtool("check", "rules", RULES)
    assert status == 0 and f"{len(alerts())} rules found" in said, said


def test_alerts_fire():
    """And each does in these tests."""
    status, said = promtool("test", "rules", HERE / "rules_test.yml")
    assert status == 0, said
    expected = set(re.findall(r'alertname="(\w+)"', (HERE / "rules_test.yml").read_text(encoding="utf-8")))
    assert expected == set(alerts())


def test_scraped(service, prometheus):
    """All of it, as it was said."""
    assert prometheus.now('up{job="hellod"}')[0][1] == 1, prometheus.api("targets")
    metrics = Metrics(scrape(service.control_path).body)
    for name, samples in metrics.samples.items():
        assert len(prometheus.now(name)) == len(samples), name
    assert {labels["version"] for labels, _ in prometheus.now("hellod_build_info")} == {service.status().service["version"]}
    counted = metrics.one("hellod_answers_total", listener="greeting")

    def told():
        return [number for _, number in prometheus.now('hellod_answers_total{listener="greeting"}')] == [counted]

    wait_until(told, 20, f"{counted} answers")


def test_types_and_units_are_known(prometheus):
    """Which only OpenMetrics tells."""
    said = prometheus.api("metadata")
    assert said["hellod_answer_time_seconds"][0]["type"] == "histogram"
    assert said["hellod_uptime_seconds"][0]["unit"] == "seconds"
    assert [name for name, (about,) in said.items() if name.startswith("hellod_") and not about["help"]] == []


def test_nobody_is_alarmed(prometheus):
    """By a service that is well; and all rules could be evaluated."""
    groups = wait_until(lambda: evaluated(prometheus), 30, prometheus.log)
    (group,) = groups
    assert {rule["name"] for rule in group["rules"]} == set(alerts())
    assert [rule for rule in group["rules"] if rule["health"] != "ok" or rule["state"] != "inactive"] == []


def evaluated(prometheus):
    groups = prometheus.api("rules")["groups"]
    return groups if all(rule["health"] != "unknown" for group in groups for rule in group["rules"]) else None


# What is only there when something was wrong, and queries that leave out what is 0.
QUIET = re.compile(r" > 0$")


@pytest.mark.parametrize("title, targets", [panel[:2] for panel in panels()], ids=[panel[0] for panel in panels()])
def test_dashboard(prometheus, title, targets):
    """Each query is one, and has an answer, with all labels that its legend is made of."""
    for query, legend in targets:
        samples = prometheus.now(query)
        assert samples or QUIET.search(query), f"{title}: nothing for {query}"
        for labels, _ in samples:
            assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= set(labels), f"{title}: {legend}: {labels}"
    assert names(query for query, _ in targets)
