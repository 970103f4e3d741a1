"""Load on the service of a booted system, and the books about it. What is asked, and how it is judged, is in ../loss.

This file must not know what is done to the service meanwhile.
"""

import re

import pytest

from configs import libconfig
from ledger import Ledger
from service import PORT
from worlds import plan


class Measurement(Ledger):
    """A ledger of load inside a system."""

    def __init__(self, service, name, datagrams=None):
        super().__init__(name, plan(PORT, **({"datagrams": datagrams} if datagrams else {})))
        self.service = service

    def run(self):
        self.before = len(self._ends())
        return self.load(["nsenter", "-t", str(self.service.machine.init), "-n"])

    def _ends(self):
        """Each daemon says at its end how many clients spoke too late."""
        return re.findall(r"served .*; (\d+) clients spoke too late", self.service.texts())

    def judge(self, figures):
        """Ends the service, so that it says it."""
        self.service.systemctl("stop")
        ends = self._ends()[self.before :]
        assert ends, self.service.texts()[-2000:]
        self.crossed = sum(map(int, ends))
        figures.append(self)
        if self.broken():
            pytest.fail("\n".join(self.story()), pytrace=False)


def configure(service, world):
    """The configuration WORLD, see ../loss/worlds.py."""
    service.configure("".join(f"{key} = {libconfig(value)};\n" for key, value in world.items()))
