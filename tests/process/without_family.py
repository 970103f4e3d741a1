"""Runs a program that cannot have sockets of one family: `without_family.py AF_INET6 PROGRAM ARGUMENT...`.

A seccomp filter makes socket(AF_INET6, ...) fail with EAFNOSUPPORT, as a kernel without IPv6 does, and as systemd does
for a unit whose RestrictAddressFamilies= lacks it.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

SOCKET_CALL = {"x86_64": 41, "aarch64": 198, "riscv64": 198}.get(platform.machine())

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
CALL_NUMBER, FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def main():
    if SOCKET_CALL is None:
        sys.exit("the number of socket(2) on this machine is not known")
    family, *words = sys.argv[1:]
    steps = [
        (LOAD_WORD, 0, 0, CALL_NUMBER),
        (JUMP_IF_EQUAL, 0, 3, SOCKET_CALL),
        (LOAD_WORD, 0, 0, FIRST_ARGUMENT),
        (JUMP_IF_EQUAL, 0, 1, getattr(socket, family)),
        (RETURN, 0, 0, FAIL),
        (RETURN, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    program = Program(len(steps), code)
    libc = ctypes.CDLL(None, use_errno=True)
    # Kept for the program too: without it only root may set a filter.
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0
    ):
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    os.execvp(words[0], words)


main()
