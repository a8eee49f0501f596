"""System calls that no snippet needs and that many a way out of a jail began with: refused by a seccomp filter.

New user namespaces (which would hand a snippet the kernel's inner parts again), mounts, tracing, keys, io_uring, and
sockets of families that a network namespace does not contain (vsock reaches the machine that this machine is a guest
of). What is refused fails with EPERM, ``clone3`` with ENOSYS, upon which the C library takes ``clone``, whose flags a
filter can read.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
import struct
from dataclasses import dataclass

PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
PR_SET_NO_NEW_PRIVS = 38

CLONE_NEWUSER = 0x1000_0000
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)

_LOAD = 0x20
_EQUAL, _NOT_BELOW, _ANY_BIT = 0x15, 0x35, 0x45
_RETURN = 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16


@dataclass(frozen=True, slots=True)
class Calls:
    """Numbers of system calls on one architecture."""

    architecture: int
    """As the kernel's audit names it."""
    clone: int
    socket: int
    refused: tuple[int, ...]
    foreign_from: int | None = None
    """Numbers from here on belong to a second way of calling (x32)."""


EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 442)
"""io_uring_setup, _enter, _register; open_tree, move_mount, fsopen, fsconfig, fsmount, fspick; mount_setattr."""

CLONE3 = 435

BY_MACHINE = {
    # unshare setns mount umount2 pivot_root ptrace process_vm_readv process_vm_writev bpf perf_event_open keyctl
    # add_key request_key userfaultfd kexec_load init_module finit_module delete_module open_by_handle_at
    "x86_64": Calls(
        0xC000_003E,
        clone=56,
        socket=41,
        refused=(272, 308, 165, 166, 155, 101, 310, 311, 321, 298, 250, 248, 249, 323, 246, 175, 313, 176, 304),
        foreign_from=0x4000_0000,
    ),
    "aarch64": Calls(
        0xC000_00B7,
        clone=220,
        socket=198,
        refused=(97, 268, 40, 39, 41, 117, 270, 271, 280, 241, 219, 217, 218, 282, 104, 105, 273, 106, 265),
    ),
}


def install() -> None:
    """Filter this process's calls and those of all that it starts, from now on.

    Raises:
        OSError: the kernel refuses, or this architecture's numbers are not known.
    """
    calls = BY_MACHINE.get(platform.machine())
    if calls is None:
        raise OSError(errno.ENOSYS, f"no filter of system calls for {platform.machine()}")
    program = b"".join(instructions(calls))
    held = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(held))
    library = ctypes.CDLL(None, use_errno=True)
    for option, *arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, described)):
        if library.prctl(option, *arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"prctl({option}) for the filter of system calls failed")


def instructions(calls: Calls) -> list[bytes]:
    """The filter as a program of classic BPF."""
    refuse = _instruction(_RETURN, _ERRNO | errno.EPERM)
    allow = _instruction(_RETURN, _ALLOW)
    program = [
        _instruction(_LOAD, _ARCHITECTURE_AT),
        _instruction(_EQUAL, calls.architecture, 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER_AT),
    ]
    if calls.foreign_from is not None:
        program += [_instruction(_NOT_BELOW, calls.foreign_from, 0, 1), refuse]
    for number in (*calls.refused, *EVERYWHERE):
        program += [_instruction(_EQUAL, number, 0, 1), refuse]
    program += [_instruction(_EQUAL, CLONE3, 0, 1), _instruction(_RETURN, _ERRNO | errno.ENOSYS)]
    program += [
        _instruction(_EQUAL, calls.clone, 0, 4),
        _instruction(_LOAD, _FIRST_ARGUMENT_AT),
        _instruction(_ANY_BIT, CLONE_NEWUSER, 0, 1),
        refuse,
        allow,
    ]
    program += [_instruction(_EQUAL, calls.socket, 0, 2 + 2 * len(FAMILIES)), _instruction(_LOAD, _FIRST_ARGUMENT_AT)]
    for family in FAMILIES:
        program += [_instruction(_EQUAL, int(family), 0, 1), allow]
    return [*program, _instruction(_RETURN, _ERRNO | errno.EAFNOSUPPORT), allow]


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
