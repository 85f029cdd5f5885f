"""Turn this process into another program that dies with its parent and, where asked, is not root.

Run as a script with nothing but the standard library: `python -I -S launcher.py PARENT SIGNAL IDENTITY PROGRAM ...`.
It is a program of its own because code between fork and exec of a process with threads is not safe.

Identities:

same        what the parent is.
nobody      user 65534 who may pass any folder: for root, since Postgres refuses to be root. The one capability it
            keeps (CAP_DAC_OVERRIDE) spares us from opening the folders above the data for everybody.
namespace   the same user, who is called 65534 inside a user namespace: for root in a container without user 65534.
"""

import ctypes
import errno
import os
import signal
import sys

NOBODY = 65534
EXIT_CANNOT_BECOME = 125
"""The exit code that says that the identity could not be taken, as opposed to a failure of the program."""

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
_CLONE_NEWUSER = 0x10000000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _prctl(option: int, second: int, third: int = 0) -> None:
    _check(_libc.prctl(option, second, third, 0, 0), f"prctl({option})")


def _hold_only(capability: int) -> None:
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, first of the capabilities 0 to 31, then of those above.
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _become_nobody() -> None:
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    _hold_only(_CAP_DAC_OVERRIDE)


def _enter_namespace() -> None:
    user = os.geteuid()
    _check(_libc.unshare(_CLONE_NEWUSER), "unshare")
    uid_map = os.open("/proc/self/uid_map", os.O_WRONLY)
    os.write(uid_map, f"{NOBODY} {user} 1".encode())
    os.close(uid_map)


_BECOME = {"same": lambda: None, "nobody": _become_nobody, "namespace": _enter_namespace}


def _die_with(parent: int, death_signal: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    _prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        # It died before we asked to be told.
        os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Become what the arguments say. Return only when that fails."""
    parent, death_signal, identity, *command = arguments
    try:
        _BECOME[identity]()
        # After the change of user, which would clear it.
        _die_with(int(parent), int(death_signal))
    except OSError as error:
        print(f"cannot become {identity}: {error}", file=sys.stderr)
        return EXIT_CANNOT_BECOME
    try:
        os.execv(command[0], command)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return 126 if error.errno == errno.EACCES else 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
