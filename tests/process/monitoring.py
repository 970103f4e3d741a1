"""What doc has for those who watch a hellod: the queries of the dashboard and of the alerts.

This file must not know which metrics there are.
"""

import json
import re

from hellodtest import TREE

RULES = TREE / "doc" / "prometheus-rules.yml"
DASHBOARD = TREE / "doc" / "grafana-dashboard.json"
NAME = re.compile(r"\bhellod_\w+")


def alerts():
    """Each alert's query by its name; it is on one line."""
    text = RULES.read_text(encoding="utf-8")
    return dict(re.findall(r"^      - alert: (\w+)\n        expr: (.*)$", text, re.MULTILINE))


def dashboard():
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))


def panels():
    """The dashboard's panels: a list of (title, [(query, legend), ...], panel), with queries that Prometheus understands as
    they are: what Grafana would put in is there."""
    found = []
    for panel in dashboard()["panels"]:
        targets = [(filled_in(target["expr"]), target["legendFormat"]) for target in panel["targets"]]
        found.append((panel["title"], targets, panel))
    return found


def filled_in(query, instance=".*", interval="1m"):
    return query.replace("$instance", instance).replace("$__rate_interval", interval)


def names(queries):
    """The metrics that QUERIES are about."""
    return {name for query in queries for name in NAME.findall(query)}
