"""A Prometheus of our own that scrapes one hellod each second, and answers queries.

This file must not know which metrics there are.
"""

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from monitoring import RULES
from watch import wait_until

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs: [{{job_name: hellod, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Prometheus:
    """Scrapes 127.0.0.1:PORT until the block ends; .url is its own address."""

    def __init__(self, port):
        self._folder = Path(tempfile.mkdtemp(prefix="hellod-prometheus-"))
        self._config = self._folder / "prometheus.yml"
        self._config.write_text(CONFIG.format(rules=RULES, port=port), encoding="utf-8")

    def __enter__(self):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        words = [f"--config.file={self._config}", f"--storage.tsdb.path={self._folder}/data"]
        words += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        self._log = open(self._folder / "log", "wb")
        self._process = subprocess.Popen(["prometheus", *words], stdout=self._log, stderr=self._log)
        try:
            wait_until(lambda: self._is_ready(), 30, self.log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder)

    def log(self):
        return (self._folder / "log").read_text(errors="replace")

    def _is_ready(self):
        assert self._process.poll() is None, self.log()
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def api(self, path, **parameters):
        """What it says to a request; what it cannot do is an error that has its words."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{parameters}: {error.read().decode()}") from error

    def now(self, query):
        """The samples that QUERY has now: a list of (labels, number)."""
        return [(it["metric"], float(it["value"][1])) for it in self.api("query", query=query)["result"]]

    def lately(self, query, seconds):
        """The curves that QUERY has had: a list of (labels, [(time, number), ...])."""
        end = time.time()
        said = self.api("query_range", query=query, start=end - seconds, end=end, step=1)["result"]
        return [(it["metric"], [(float(at), float(number)) for at, number in it["values"]]) for it in said]
