#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints what the process may do where it runs: inside.py FAMILY…

Prints each of these families of sockets that it can have, each of several paths where it can make a
file, and whether two system calls are refused.
"""
import ctypes, errno, os, socket, sys
allowed = sys.argv[1:]
for name in "UNIX", "VSOCK", "INET", "INET6", "NETLINK", "PACKET", "ALG", "BLUETOOTH":
    try:
        kind = socket.SOCK_SEQPACKET if name == "ALG" else socket.SOCK_RAW if name in (
            "NETLINK", "PACKET", "BLUETOOTH") else socket.SOCK_STREAM
        socket.socket(getattr(socket, "AF_" + name), kind)
        print(name)
    except OSError as error:
        if not allowed or name in allowed:
            print(name, errno.errorcode[error.errno])
for path in "/etc/x", "/run/x", "/usr/x", "/root/x", "/run/ttrpc-proxy/x", "/var/log/ttrpc-proxy/x":
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.unlink(path)
        print(path)
    except OSError:
        pass
libc = ctypes.CDLL(None, use_errno=True)
for name, number, arguments in ("landlock", 444, (0, 0, 1)), ("mount", 165, (0, 0, 0, 0, 0)):
    if os.uname().machine == "x86_64" or number > 400:
        refused = libc.syscall(number, *arguments) < 0 and ctypes.get_errno() == errno.EPERM
        print(name, "refused" if refused else "allowed")
