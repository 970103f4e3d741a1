"""The servers that hellod is compared with: how each is started, and what it is asked in which row.

Each in the config that favours it: one worker or thread where it has a choice, no log of accesses, no file that it would
write, no limit that it could reach. All are on loopback, on a port of their own, with all they write in a folder of
their own; the service that a package may have set up is not touched.
"""

import grp
import os
import pathlib
import pwd
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"

NAME, PROMPT = b"abcde", b"What's your name?"
HELLO = b"Hello, " + NAME + b"!"
GREETS = {"requests": (PROMPT, NAME, HELLO), "greetings": (PROMPT, NAME, HELLO)}
STREAMS = ("requests", "lines", "conversations")
LINES = (PROMPT, NAME + b"\n", HELLO + b"\n")
UDP = (b"", NAME, HELLO)


class Peer:
    """A server: PROGRAM is what must be there; START(place, port, row) writes the config and returns the words that
    start it; VERSION is a program's words and a pattern for what it says; ASKED has for each row that it is in the
    greeting, the request and the answer; NOTE says what it is. In the rows BESIDE it is shown, and out of the contest,
    since it does not do what is asked of all others there."""

    def __init__(self, name, program, start, version, asked, note, beside=()):
        self.name, self.program, self.start, self.asks, self.note = name, program, start, asked, note
        self.version_words, self.version_pattern = version
        self.beside = set(beside)

    def path(self):
        """Where the program is, or nothing."""
        path = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"
        return shutil.which(self.program, path=path)

    def version(self):
        words = [self.path(), *self.version_words]
        done = subprocess.run(words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        found = re.search(self.version_pattern, done.stdout)
        return found[1] if found else "?"


def asks(rows, request, answer):
    """The same in all ROWS, without a greeting."""
    return {row: (b"", request, answer) for row in rows}


def account():
    """Names of the user and the group that servers become when they are started by root."""
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    return user.pw_name, grp.getgrgid(user.pw_gid).gr_name


def write(place, text, **values):
    user, group = account()
    file = pathlib.Path(place) / "conf"
    file.write_text(text.format(user=user, group=group, place=place, **values), encoding="utf-8")
    return file


# Everybody is counted and held against limits that nobody reaches. Loopback is exempt unless this is said.
HELLOD = """
workers = 1; control = ""; exempt = [ "::1" ]; user = "{user}"; group = "{group}";
limits = {{ per_source = 4000; per_prefix = 4000; }};
rate = {{ per_source = 1000000; budget = 10000000; }};
listen = (
  {{ name = "greeting"; protocol = "greeting"; type = "stream"; address = "127.0.0.1"; port = {port};
     {more} }},
  {{ name = "hello"; protocol = "hello"; type = "datagram"; address = "127.0.0.1"; port = {port}; }}
);
"""

APACHE = """
ServerName localhost
ServerRoot "{place}"
PidFile "{place}/pid"
ErrorLog /dev/stderr
LogLevel emerg
LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule echo_module {modules}/mod_echo.so
{unixd}
Listen 127.0.0.1:{port}
ProtocolEcho On
Timeout 600
KeepAliveTimeout 600
StartServers {processes}
ServerLimit 1000
MaxRequestWorkers 1000
MinSpareServers 1
MaxSpareServers 1000
MaxConnectionsPerChild 0
"""
APACHE_MODULES = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules")
UNIXD = "LoadModule unixd_module {modules}/mod_unixd.so"
APACHE_PROCESSES = {"requests": 140, "lines": 20, "conversations": 40}  # one for each connection, and some to spare

XINETD = """
defaults
{{
    instances = UNLIMITED
    per_source = UNLIMITED
    cps = 1000000 1
    bind = 127.0.0.1
}}
service echo
{{
    type = INTERNAL UNLISTED
    flags = NOLIBWRAP
    socket_type = stream
    protocol = tcp
    wait = no
    user = {user}
    port = {port}
}}
"""

NGINX = """
load_module {modules}/ngx_stream_module.so;
{as_user}
worker_processes 1;
daemon off;
pid {place}/pid;
error_log {place}/log crit;
events {{ worker_connections 4096; }}
stream {{
    access_log off;
    server {{ listen 127.0.0.1:{port} backlog=4096; return "What's your name?"; }}
    server {{ listen 127.0.0.1:{port} udp; return "Hello, abcde!"; }}
}}
"""
NGINX_MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules")


def modules(folders, file):
    return next((folder for folder in folders if os.path.exists(f"{folder}/{file}")), folders[0])


def start_hellod(program):
    def start(place, port, row):
        more = 'prompt = "";' if row == "conversations" else ""
        return [program, "-c", write(place, HELLOD, port=port, more=more)]
    return start


def start_apache(place, port, row):
    folder = modules(APACHE_MODULES, "mod_echo.so")
    # Debian's program has it built in.
    unixd = UNIXD.format(modules=folder) if os.path.exists(f"{folder}/mod_unixd.so") else ""
    if os.geteuid() == 0:
        unixd += "\nUser {}\nGroup {}".format(*account())
    file = write(place, APACHE, port=port, modules=folder, unixd=unixd, processes=APACHE_PROCESSES[row])
    return [APACHE_SERVER.path(), "-DFOREGROUND", "-f", file]


def start_xinetd(place, port, row):
    return [XINETD_SERVER.path(), "-dontfork", "-f", write(place, XINETD, port=port), "-pidfile", f"{place}/pid"]


def start_nginx(place, port, row):
    as_user = "user {} {};".format(*account()) if os.geteuid() == 0 else ""
    file = write(place, NGINX, port=port, modules=modules(NGINX_MODULES, "ngx_stream_module.so"), as_user=as_user)
    return [NGINX_SERVER.path(), "-p", place, "-e", f"{place}/log", "-c", file]


def start_memcached(place, port, row):
    # -R: how many requests of a connection it answers at once.
    return [MEMCACHED.path(), "-l", "127.0.0.1", "-p", port, "-U", port, "-t", 1, "-c", 2048, "-R", 1000,
            "-o", "no_lru_crawler,no_lru_maintainer,no_slab_reassign", "-u", account()[0]]


def start_redis(place, port, row):
    return [REDIS.path(), "--bind", "127.0.0.1", "--port", port, "--dir", place, "--save", "", "--appendonly", "no",
            "--io-threads", 1, "--hz", 1, "--dynamic-hz", "no", "--tcp-backlog", 4096, "--loglevel", "warning"]


def start_threads(place, port, row):
    return [PYTHON, HERE / "tutorial_threads.py", port]


def start_socketserver(place, port, row):
    return [PYTHON, HERE / "tutorial_socketserver.py", "udp" if row == "udp" else "tcp", port]


APACHE_SERVER = Peer(
    "Apache", "apache2" if shutil.which("apache2", path="/usr/sbin") else "httpd", start_apache,
    (["-v"], r"Apache/([\d.]+)"), asks(STREAMS, b"abcde\n", b"abcde\n"), "prefork, mod_echo: lines")
XINETD_SERVER = Peer(
    "xinetd", "xinetd", start_xinetd, (["-version"], r"([\d.]+) libwrap"),
    {**asks(STREAMS, NAME, NAME), "lines": (b"", NAME + b"\n", NAME + b"\n")}, "its own echo: bytes")
NGINX_SERVER = Peer(
    "nginx", "nginx", start_nginx, (["-v"], r"nginx/([\d.]+)"), {"greetings": (PROMPT, b"", b""), "udp": UDP},
    "stream, return: one sentence", beside=["greetings"])
FRAME = b"\x00\x01\x00\x00\x00\x01\x00\x00"  # before every datagram: its number, and that it is the first of one
MEMCACHED = Peer(
    "memcached", "memcached", start_memcached, (["-V"], r"([\d.]+)"),
    {**asks(STREAMS, b"mn\r\n", b"MN\r\n"), "udp": (b"", FRAME + b"mn\r\n", FRAME + b"MN\r\n")},
    "one thread, its no-op")
REDIS = Peer(
    "redis", "redis-server", start_redis, (["--version"], r"v=([\d.]+)"),
    asks(STREAMS, b"PING\r\n", b"+PONG\r\n"), "PING")
THREADS = Peer(
    "threads", PYTHON, start_threads, (["-V"], r"Python ([\d.]+)"), GREETS, "Python, a thread for each connection")
SOCKETSERVER = Peer(
    "socketserver", PYTHON, start_socketserver, (["-V"], r"Python ([\d.]+)"), {**GREETS, "udp": UDP},
    "Python, its module socketserver")


def hellod(build):
    return Peer("hellod", build / "hellod", start_hellod(build / "hellod"), (["-V"], r"([\d.]+)"),
                {**GREETS, "lines": LINES, "conversations": (b"", NAME, HELLO), "udp": UDP}, "one worker, as shipped")


OTHERS = [APACHE_SERVER, XINETD_SERVER, NGINX_SERVER, MEMCACHED, REDIS, THREADS, SOCKETSERVER]
