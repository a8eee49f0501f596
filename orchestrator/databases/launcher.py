"""Runs one program under an account, so that it ends when its owner ends.

A script of its own, started with the bare interpreter: between fork and exec of a process with many threads no Python
code is safe, and the kernel forgets the parent-death signal when the user id changes: it must be asked for afterwards.

``launcher.py OWNER_PID SIGNAL UID GID PROGRAM [ARGUMENT ...]``; the working directory is inherited. With UID ``-1`` the
account stays what it is. Exit code 125: the account could not be taken or the owner was gone already.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
FAILED = 125


def main(arguments: list[str]) -> int:
    """Become the program; returns only where that was not possible."""
    owner, signal, uid, gid = (int(argument) for argument in arguments[:4])
    command = arguments[4:]
    try:
        os.umask(0o077)
        if uid >= 0:
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != owner:
            return FAILED
        os.execv(command[0], command)
    except OSError as error:
        sys.stderr.write(f"launcher: {command[0]}: {error}\n")
    return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
