"""The document on performance: a text that people write, with blocks that the benchmarks fill.

A block stands between "<!-- begin REPORT/TABLE -->" and "<!-- end REPORT/TABLE -->"; nothing else is touched. Knows
nothing of what is measured.
"""

import datetime
import os
import pathlib
import platform
import re
import subprocess

BLOCK = r"(<!-- begin ({name}) -->\n)(.*?)(<!-- end \2 -->\n)"
PIPE = "|"


def cell(value):
    return value.replace("\\", "\\\\").replace(PIPE, "\\" + PIPE)


def markdown(table):
    """TABLE, as it is in the JSON file of a report, as the lines of a block."""
    rule = ["---" if words else "---:" for words in table["words"]]
    rows = [[cell(value) for value in row] for row in [table["columns"], *table["rows"]]]
    lines = [rows[0], rule, *rows[1:]]
    return "\n" + "".join(f"{PIPE} {f' {PIPE} '.join(line)} {PIPE}\n" for line in lines) + "\n"


def blocks(text):
    """What is in each block of TEXT, by name."""
    return {found[2]: found[3] for found in re.finditer(BLOCK.format(name=r"[\w/-]+"), text, re.S)}


def fill(text, name, content):
    """TEXT with CONTENT in the block NAME, which is there."""
    found = re.search(BLOCK.format(name=re.escape(name)), text, re.S)
    return text[:found.start(3)] + content + text[found.end(3):]


def words_of(argv):
    """The first line that a program says, or nothing."""
    try:
        done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return ""
    return done.stdout.strip().split("\n")[0]


def processor():
    found = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    return found[1] if found else platform.machine()


def system():
    text = pathlib.Path("/etc/os-release").read_text(encoding="utf-8")
    return re.search(r'^PRETTY_NAME="?([^"\n]*)', text, re.M)[1]


def virtual():
    """What the machine is a guest of, or nothing."""
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return ", a virtual machine" if " hypervisor" in flags else ""


def machine(build):
    """The table of where and when was measured."""
    rows = [["date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")],
            ["processors", f"{len(os.sched_getaffinity(0))} of {processor()}{virtual()}"],
            ["system", f"{system()}, Linux {platform.release()}"],
            ["congestion control", pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text(encoding="ascii").strip()],
            ["compiler", words_of(["cc", "--version"])],
            ["hellod", words_of([str(build / "hellod"), "-V"]).removeprefix("hellod ")]]
    return {"name": "machine", "columns": ["", ""], "words": [True, True], "rows": rows}
