"""What the daemon is told to be, and what it is asked, while its losses are measured.

This file must not know how the daemon is started.
"""

import random

from keeper import have_ipv6

WORKERS = 4
SEED = 3288

# While the daemon is not there, datagrams wait in two sockets, IPv4 and IPv6. Each has room for 256 (net.core.
# rmem_default = 212992, of which a small datagram takes 832), so that this rate fits into a pause of two and a half
# seconds: the second for which conversations may go on, the start, and as much again for a busy machine.
RESTART_DATAGRAMS = 200
RESTART_PAUSE_SECONDS = 0.5
DRAIN_SECONDS = 1.0

# The oldest is killed each time: with this pace it has lived for two seconds, and the next one is started at once.
MANY_WORKERS = 8
KILL_PAUSE_SECONDS = 2.4 / MANY_WORKERS

DATAGRAMS = 1000
CONVERSATIONS = 300
LONG = 40

STREAM = {"name": "greeting", "protocol": "greeting", "type": "stream", "address": "*"}
DATAGRAM = {"name": "hello", "protocol": "hello", "type": "datagram", "address": "*"}


def config(port, changes=None, listen=None, **top):
    """A configuration that serves PORT; CHANGES to both listeners, LISTEN: further ones."""
    both = [{**one, "port": port, **(changes or {})} for one in (STREAM, DATAGRAM)]
    return {"workers": WORKERS, "limits": {"drain_timeout": DRAIN_SECONDS}, "listen": both + (listen or []), **top}


def worlds(port):
    """Configurations to change between: (what, config, whether it can be). Those who ask at PORT notice none of them."""
    more = [{**STREAM, "name": "more", "port": port + 1}, {**DATAGRAM, "name": "further", "port": port + 1}]
    limits = {"drain_timeout": DRAIN_SECONDS, "connections": 1000, "per_source": 10}
    single = [
        {**one, "name": f"{one['name']}{number}", "address": address, "port": port}
        for one in (STREAM, DATAGRAM)
        for number, address in enumerate(("127.0.0.1", "::1")[: 2 if have_ipv6() else 1])
    ]
    return [
        ("nothing new", config(port), True),
        ("fewer workers", config(port, workers=2), True),
        ("further listeners", config(port, listen=more), True),
        ("a bad value", config(port, limits={"connections": 0}), False),
        ("other limits", config(port, limits=limits), True),
        ("a socket for each worker", config(port, {"per_worker": True}), True),
        ("the same, with fewer workers", config(port, {"per_worker": True}, workers=2), True),
        ("the same, with more workers", config(port, {"per_worker": True}, workers=6), True),
        ("a taken address", config(port, listen=[{**STREAM, "name": "taken", "port": port + 2}]), False),
        ("shared sockets again", config(port), True),
        ("other names", config(port, listen=[]) | {"listen": [{**STREAM, "name": "a", "port": port},
                                                              {**DATAGRAM, "name": "b", "port": port}]}, True),
        ("addresses in place of all", {**config(port), "listen": single}, True),
        ("the same, with a socket for each worker",
         {**config(port), "listen": [{**one, "per_worker": True} for one in single]}, True),
    ]  # fmt: skip


def walk(port, count):
    """COUNT of the worlds, one after the other: each follows each sooner or later."""
    chance, those = random.Random(SEED), worlds(port)
    return [those[number] if number < len(those) else chance.choice(those) for number in range(count)]


def plan(port, datagrams=DATAGRAMS):
    """What load.py asks at PORT."""
    hosts = ["127.0.0.1", "::1"] if have_ipv6() else ["127.0.0.1"]
    addresses = [[host, port] for host in hosts]
    return {
        "stream": addresses,
        "datagram": addresses,
        "conversations": CONVERSATIONS,
        "datagrams": datagrams,
        "long": LONG,
        "seed": SEED,
        "silence": 5,
        "patience": 10,
    }
