"""Configs for the daemon under test: the usual listeners, and Python values to libconfig text.

This file must not know how the daemon is started.
"""

import grp
import os
import pwd
import re

from watch import SANITIZED

# Listeners to build configs from; port 0: the kernel picks one. Use {**GREETING, "framing": "chunk"} for variants.
GREETING = {"name": "greeting", "protocol": "greeting", "type": "stream", "address": "127.0.0.1", "port": 0}
HELLO = {"name": "hello", "protocol": "hello", "type": "datagram", "address": "127.0.0.1", "port": 0}
UPPER = {"name": "upper", "protocol": "upper", "type": "stream", "address": "127.0.0.1", "port": 0}


def libconfig(value):
    """VALUE as libconfig writes it: dict a group, list of dicts a list, other list an array."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\x{ord(c):02x}" for c in value)
        return f'"{escaped}"'
    if isinstance(value, dict):
        return "{\n" + "".join(f"    {key} = {libconfig(item)};\n" for key, item in value.items()) + "}"
    if value and isinstance(value[0], dict):
        return "(" + ", ".join(libconfig(item) for item in value) + ")"
    return "[" + ", ".join(libconfig(item) for item in value) + "]"


def unprivileged():
    """The user and the group that a daemon started by us can become; None when we are not root ourselves."""
    if os.geteuid() != 0:
        return None
    return ("nobody", grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name)


def config_text(config):
    """The file for CONFIG. A dict gets two workers, no control socket and a user that exists unless it says otherwise (None
    leaves an option out); a text is kept, but for the last two put into its first line when it does not name them, so
    that line numbers stay. Sanitizers and valgrind do within a worker what its sandbox does not let through, and get none
    unless one is asked for."""
    identity = unprivileged()
    if isinstance(config, dict):
        filled = {"workers": 2, "control": "", **({"sandbox": "off"} if SANITIZED else {})}
        if identity:
            filled.update(user=identity[0], group=identity[1])
        filled.update(config)
        return "".join(f"{key} = {libconfig(value)};\n" for key, value in filled.items() if value is not None)
    if identity and not re.search(r"\buser\b", config):
        config = f'user = "{identity[0]}"; group = "{identity[1]}"; ' + config
    if SANITIZED and not re.search(r"\bsandbox\b", config):
        config = 'sandbox = "off"; ' + config
    return config if re.search(r"\bcontrol\b", config) else 'control = ""; ' + config


def write_config(directory, config, conf_d=None):
    """Writes CONFIG and its drop-ins into DIRECTORY and returns the main file's path."""
    path = directory / "hellod.conf"
    path.write_text(config_text(config))
    for name, text in (conf_d or {}).items():
        (directory / "conf.d").mkdir(exist_ok=True)
        (directory / "conf.d" / name).write_text(text)
    return path
