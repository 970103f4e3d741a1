"""Link-local addresses, which need a zone: each command of helloc's reaches them, and says them in full."""

import pytest

from configs import GREETING, HELLO
from helloc import helloc
from hellodtest import Hellod
from netns import add_address, ip

WORDS = {
    "talk": ["-m", "Ada", "fe80::1%near"],
    "ping": ["-c", 1, "fe80::1%near"],
    "check": ["-v", "-H", "fe80::1%near"],
    "bench": ["-q", "-n", 10, "fe80::1%near"],
}


@pytest.mark.netns
@pytest.mark.parametrize("transport", ([], ["-u"]), ids=("tcp", "udp"))
def test_zones(ipv6, transport):
    ip("link add near type veth peer name far")
    ip("link set near up")
    ip("link set far up")
    add_address("fe80::1/64", "near")
    where = {"address": "*", "port": 3288}
    with Hellod({"listen": [{**GREETING, **where}, {**HELLO, **where}]}):
        for command, words in WORDS.items():
            done = helloc(command, *transport, *words)
            assert (done.returncode, done.stderr) == (0, ""), command
            assert command == "talk" or b"[fe80::1%near]:3288" in done.stdout
        assert helloc(*transport, "-m", "Ada", "fe80::1").returncode == 69
        assert helloc(*transport, "-m", "Ada", "fe80::1%nowhere").returncode == 68
