"""A lock in shared memory that is released when its holder dies: the robust mutex of POSIX threads.

Locking a file is a system call, for which Python releases its interpreter lock; with a server's threads, that
costs more than the work under the lock (measured: 30 us a request). This lock is taken in user space.
"""

import ctypes
import errno
import os
from contextlib import AbstractContextManager
from mmap import mmap
from typing import Final

from jairouter_cli.state.file_lock import ByteLock

_BYTES: Final = 64  # what `pthread_mutex_t` takes at most on the systems known (40 on x86-64, 48 on ARM)
HEAD_BYTES: Final = 2 * _BYTES  # the lock, and whether it was made

_ATTRIBUTES_BYTES: Final = 64
_SHARED: Final = 1
_ROBUST: Final = 1


def common_lock(file: int, memory: mmap) -> AbstractContextManager[object]:
    """Return the lock in the first `HEAD_BYTES` of a file that processes have mapped; the first of them makes it.

    Where there are no robust mutexes it is one on the file's first byte.
    """
    slow = ByteLock(file, 0)
    try:
        mutex = Mutex(memory, 0)
    except OSError:
        return slow
    with slow:
        if not memory[_BYTES]:
            mutex.make()
            memory[_BYTES] = 1
    return mutex


class Mutex:
    """The lock at a place in a shared memory of zeros. Raises `OSError` where there are no robust ones.

    One process makes it, before or while no other uses it (`make`); each opens it. Not to be taken twice.
    """

    __slots__ = ("_address", "_consistent", "_lock", "_memory", "_unlock")

    def __init__(self, memory: mmap, at: int) -> None:
        library = _library()
        self._memory: Final = ctypes.c_char.from_buffer(memory, at)  # keeps the memory where it is
        self._address: Final = ctypes.c_void_p(ctypes.addressof(self._memory))
        self._lock: Final = library.pthread_mutex_lock
        self._unlock: Final = library.pthread_mutex_unlock
        self._consistent: Final = library.pthread_mutex_consistent

    def make(self) -> None:
        """Begin its life."""
        library = _library()
        attributes = ctypes.create_string_buffer(_ATTRIBUTES_BYTES)
        _check(library.pthread_mutexattr_init(attributes))
        _check(library.pthread_mutexattr_setpshared(attributes, _SHARED))
        _check(library.pthread_mutexattr_setrobust(attributes, _ROBUST))
        _check(library.pthread_mutex_init(self._address, attributes))

    def __enter__(self) -> None:
        result = self._lock(self._address)
        if result == errno.EOWNERDEAD:  # what it guards is whole enough: see those who use it
            self._consistent(self._address)
        elif result:
            _check(result)

    def __exit__(self, *_: object) -> None:
        self._unlock(self._address)


def _library() -> ctypes.PyDLL:
    """Return the C library, called without letting go of the interpreter lock."""
    library = ctypes.PyDLL(None)
    if not hasattr(library, "pthread_mutexattr_setrobust"):
        raise OSError(errno.ENOTSUP, "there are no robust mutexes")
    return library


def _check(result: int) -> None:
    if result:
        raise OSError(result, os.strerror(result))
