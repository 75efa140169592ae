#!/usr/bin/env python3
"""Runs a command under the SystemCallFilter of a systemd unit, without systemd.

    under_unit.py UNIT COMMAND [ARGUMENTS…]

The sets (@system-service) are those of the installed systemd-analyze; what the filter refuses fails with EPERM, as with
SystemCallErrorNumber=EPERM, or, for a unit that does not say so, kills. x86-64 and arm64 only.
"""

import ctypes
import os
import platform
import re
import struct
import subprocess
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ALLOW, RET_ERRNO, RET_KILL_PROCESS, EPERM = 0x7FFF0000, 0x00050000, 0x80000000, 1
LD_NR, JEQ, RET = 0x20, 0x15, 0x06
HEADERS = {"x86_64": "asm/unistd_64.h", "aarch64": "asm-generic/unistd.h"}


def numbers():
    """Names of system calls and their numbers, out of the C library's headers."""
    text = subprocess.run(["cc", "-E", "-dM", "-include", HEADERS[platform.machine()], "-x", "c", "/dev/null"],
                          check=True, capture_output=True, text=True).stdout
    return {name: int(number) for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", text, re.M)}


def expand(name):
    if not name.startswith("@"):
        return {name}
    lines = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True,
                           text=True).stdout.splitlines()[1:]
    words = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    return set().union(*(expand(word) for word in words))


def allowed(unit):
    names = set()
    for line in unit.splitlines():
        if not line.startswith("SystemCallFilter="):
            continue
        words = line.split("=", 1)[1]
        listed = set().union(*(expand(word) for word in words.lstrip("~").split()))
        names = names - listed if words.startswith("~") else names | listed
    return names | expand("@default")


def program(names, refused):
    known = numbers()
    wanted = sorted({known[name] for name in names if name in known})
    code = [struct.pack("HBBI", LD_NR, 0, 0, 0)]
    for number in wanted:
        code.append(struct.pack("HBBI", JEQ, 0, 1, number))
        code.append(struct.pack("HBBI", RET, 0, 0, RET_ALLOW))
    return code + [struct.pack("HBBI", RET, 0, 0, refused)]


class Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def main(unit_file, *command):
    with open(unit_file, encoding="utf8") as file:
        unit = file.read()
    refused = RET_ERRNO | EPERM if "SystemCallErrorNumber=EPERM" in unit else RET_KILL_PROCESS
    code = program(allowed(unit), refused)
    filter_ = Filter(len(code), b"".join(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter_)):
        sys.exit(f"under_unit.py: no filter: {os.strerror(ctypes.get_errno())}")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
