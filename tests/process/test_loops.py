"""One spoofed datagram between hellod and another service that answers everything: how many answers it starts.

Each row below is a pair, and the starter comes from either side. No row costs more answers than it says, and all
but the last of them end by themselves at once; those that nothing but the rate can hold are held by it. CVE-1999-0103
and CVE-2024-2169; failure 46: servers that answered each other for ever.

    beside hellod                          the starter goes to hellod      to the other        dropped by
    echo, chargen, daytime, DNS, TFTP      0 answers                       0 answers           port
    TFTP, from another port each time      0                               0                   port, text
    echo on a high port                    1                               1                   reply
    DNS errors, TFTP errors, high port     1                               0                   text
    hellod, also the same one              0                               0                   port
    hellod on another port                 1                               1 (own words: 2)    reply
    hellod, both with words of their own   as many as fit message_size                         oversize
    a reflector that adds words            as many as fit message_size                         oversize
    chargen, daytime, one answer for all,
    on a high port; "%s" against "%s"      the burst, then the rate                            rate

Every address is in a network of its own; loopback addresses would be exempt from the rate.
"""

import time
from contextlib import ExitStack, contextmanager

import pytest

import netns
from configs import HELLO
from hellodtest import Hellod
from responders import Responder
from watch import wait_until

FAMILIES = (("10.9.1.1", "10.9.2.1"), ("fd00:9:1::1", "fd00:9:2::1"))
HIGH = 40007
NAME = b"Bob"
MESSAGE_SIZE = 1024
BURST = 2  # times the rate

pytestmark = pytest.mark.netns


def both():
    """Two addresses that are ours and not loopback's, of IPv4 and then of IPv6. No fixture: those are also made where a
    netns test is started from."""
    for hosts in FAMILIES:
        for host in hosts:
            netns.add_address(host + ("/128" if ":" in host else "/32"), "lo")
        yield hosts


def hello(host, **options):
    """A config with one listener at HOST; every other key is put beside it."""
    own = {key: options.pop(key) for key in ("answer", "guard", "port") if key in options}
    return {"workers": 1, "listen": [{**HELLO, "address": host, **own}], **options}


class Loop:
    """What came of one starter: .answers and .drops of a daemon, in words as a dict; .seconds since the start."""

    def __init__(self, daemons):
        self._daemons = daemons
        self._before = [daemon.at_rest() for daemon in daemons]
        self._start = time.monotonic()

    def counted(self, at_rest=True):
        """Answers and drops so far, over all daemons: name to number, without those that are 0."""
        result = {}
        for daemon, before in zip(self._daemons, self._before):
            now = daemon.at_rest() if at_rest else daemon.counters()
            for name in now:
                if name.startswith(("datagram_", "drop_")) and now[name] != before[name]:
                    result[name] = result.get(name, 0) + now[name] - before[name]
        return result

    def drops(self):
        return sum(n for name, n in self.counted(at_rest=False).items() if name.startswith("drop_"))

    def ended(self):
        """Waits until the loop has come to its end, which is when somebody has dropped its one datagram."""
        wait_until(lambda: self.drops() == 1, 10, lambda: f"the end of a loop: {self.counted()}")
        return self.counted()

    def seconds(self):
        return time.monotonic() - self._start


@contextmanager
def started(source, destination, *daemons, data=NAME):
    """A Loop, begun by one datagram to DESTINATION that claims to be from SOURCE."""
    loop = Loop(daemons)
    netns.spoof(source, destination, data)
    yield loop


def outcome(answers, rule):
    """What Loop.ended() says of so many answers and one datagram dropped by RULE."""
    return {"datagram_answers": answers, f"drop_{rule}": 1} if answers else {f"drop_{rule}": 1}


# ---- beside other services ----

PORTS = {"echo": 7, "daytime": 13, "chargen": 19, "dns_error": 53, "tftp_error": 69}


# By service: how many answers a starter costs that goes to hellod, or to the service, and by which rule it ends.
AT_OWN_PORTS = {name: ((0, "port"), (0, "port")) for name in PORTS}
AT_HIGH_PORTS = {
    "echo": ((1, "reply"), (1, "reply")),
    "dns_error": ((1, "text"), (0, "text")),
    "tftp_error": ((1, "text"), (0, "text")),
}


@pytest.mark.parametrize("expected", (AT_OWN_PORTS, AT_HIGH_PORTS), ids=("own ports", "high ports"))
def test_services_that_answer_everything(expected):
    for hosts in both():
        with Hellod(hello(hosts[0])) as daemon:
            ours = daemon.address("hello")
            for name, (to_us, to_it) in expected.items():
                address = (hosts[1], PORTS[name] if expected is AT_OWN_PORTS else HIGH)
                with Responder(name, address) as service:
                    with started(address, ours, daemon) as loop:
                        assert loop.ended() == outcome(*to_us), name
                    with started(ours, address, daemon) as loop:
                        assert loop.ended() == outcome(*to_it), name
                    assert service.heard == to_us[0] + 1 + to_it[0], name


def test_tftp_answers_from_another_port_each_time():
    # Behind the well-known port is none: what it says is recognised by its control characters.
    for hosts in both():
        with Hellod(hello(hosts[0])) as daemon, Responder("tftp_error", (hosts[1], 69), transient=True) as service:
            with started(service.address, daemon.address("hello"), daemon) as loop:
                assert loop.ended() == outcome(0, "port")
            with started(daemon.address("hello"), service.address, daemon) as loop:
                assert loop.ended() == outcome(0, "text")
            assert (service.heard, service.said) == (1, 1)


def turns(*added, first=len(NAME)):
    """How many answers a chain has in which each turn makes the message longer by one of ADDED, in this order again and
    again, until one would have more than MESSAGE_SIZE bytes to answer."""
    length, count = first, 0
    while length <= MESSAGE_SIZE:
        length += added[count % len(added)]
        count += 1
    return count


def test_reflector_that_adds_words_grows_to_its_end():
    for hosts in both():
        with Hellod(hello(hosts[0])) as daemon, Responder("remark", (hosts[1], HIGH)) as service:
            with started(service.address, daemon.address("hello"), daemon) as loop:
                # Each second turn is ours.
                assert loop.ended() == outcome(turns(len("Hello, !"), len("You said: ")) // 2, "oversize")
            assert service.longest <= MESSAGE_SIZE + len("Hello, !")


# ---- two hellods ----


def test_two_servers():
    for hosts in both():
        with ExitStack() as stack:
            first, second = (stack.enter_context(Hellod(hello(host, port=3288))) for host in hosts)
            assert loops_between(first, second) == [outcome(0, "port"), outcome(0, "port")]


def test_two_servers_on_different_ports():
    # Only the words tell: the built-in ones are known everywhere; the own ones are not, and cost one answer more.
    for hosts in both():
        with Hellod(hello(hosts[0])) as first:
            with Hellod(hello(hosts[1])) as second:
                assert loops_between(first, second) == [outcome(1, "reply"), outcome(1, "reply")]
            with Hellod(hello(hosts[1], answer="Salve, %s.")) as second:
                assert loops_between(first, second) == [outcome(1, "reply"), outcome(2, "reply")]


def loops_between(first, second):
    """What comes of a starter to FIRST that claims to be from SECOND, and of one the other way round."""
    found = []
    for one, other in ((first, second), (second, first)):
        with started(other.address("hello"), one.address("hello"), first, second) as loop:
            found.append(loop.ended())
    return found


@pytest.mark.parametrize("guard", ({}, {"port": False}), ids=("all rules", "without port"))
def test_server_against_itself(guard):
    for hosts in both():
        with Hellod(hello(hosts[0], guard=guard)) as daemon:
            address = daemon.address("hello")
            with started(address, address, daemon) as loop:
                assert loop.ended() == (outcome(1, "reply") if guard else outcome(0, "port"))


def test_two_servers_with_words_that_neither_knows_grow_to_the_end():
    for hosts in both():
        with Hellod(hello(hosts[0], answer="Salve, %s.")) as first, Hellod(hello(hosts[1], answer="Ciao: %s")) as second:
            pair = first.address("hello"), second.address("hello")
            with started(pair[1], pair[0], first, second) as loop:
                assert loop.ended() == outcome(turns(len("Salve, ."), len("Ciao: ")), "oversize")


def test_without_the_guard_two_servers_end_all_the_same():
    # Protocol: never cut and answer, since cutting makes the loop endless.
    off = {rule: False for rule in ("empty", "port", "source", "destination", "reply", "text", "rate", "budget")}
    for hosts in both():
        with ExitStack() as stack:
            first, second = (stack.enter_context(Hellod(hello(host, port=3288, guard=off))) for host in hosts)
            with started(second.address("hello"), first.address("hello"), first, second) as loop:
                assert loop.ended() == outcome(turns(len("Hello, !")), "oversize")


# ---- what nothing but the rate can hold ----


def test_rate_ends_a_loop_of_one_datagram():
    # Each turn is faster than the rate: soon one comes too early, and with it the loop is over.
    rate = {"per_source": 2}
    for hosts, name in zip(both(), ("chargen", "daytime")):
        with Hellod(hello(hosts[0], rate=rate)) as daemon, Responder(name, (hosts[1], HIGH)) as service:
            with started(service.address, daemon.address("hello"), daemon) as loop:
                found = loop.ended()
                most = BURST * 2 + 2 * loop.seconds()
            assert found["drop_rate"] == 1 and BURST * 2 <= found["datagram_answers"] <= most, found
            daemon.wait_for_line(r" is over its rate; datagrams dropped")


def test_rate_ends_two_servers_that_change_nothing():
    rate = {"per_source": 2}
    for hosts in both():
        with ExitStack() as stack:
            first, second = (
                stack.enter_context(Hellod(hello(host, answer="%s", rate=rate))) for host in hosts
            )
            with started(second.address("hello"), first.address("hello"), first, second) as loop:
                found = loop.ended()
                most = 2 * (BURST * 2 + 2 * loop.seconds())
            assert found["drop_rate"] == 1 and BURST * 2 <= found["datagram_answers"] <= most, found


def test_rate_holds_a_loop_that_goes_on():
    # The worst that there is: it waits for a while, and says everything eight times.
    per_second = 20
    for hosts in both():
        with Hellod(hello(hosts[0], rate={"per_source": per_second})) as daemon:
            with Responder("puzzled", (hosts[1], HIGH), copies=8, delay=0.2) as service:
                with started(service.address, daemon.address("hello"), daemon) as loop:
                    wait_until(lambda: loop.drops() >= 150, 20, "a loop that goes on")
                    answers, most = loop.counted()["datagram_answers"], BURST * per_second + per_second * loop.seconds()
                print(f"{answers} answers, at most {most:.0f}, in {loop.seconds():.1f} s; {loop.drops()} dropped")
                assert BURST * per_second <= answers <= most
                assert set(loop.counted()) == {"datagram_answers", "drop_rate"}
            # Without its other end it is over.
            end = daemon.at_rest()
            assert daemon.at_rest() == end
            assert len([line for _, line in daemon.lines if "over its rate" in line]) == 1
