"""Messages between a run and the worker of a backend: pickled plain data, large arrays in shared memory.

Each side has as many memories as there may be requests under way, and uses them in turn: the content of a memory is
valid until the next message is written to it.

Messages of a worker are unpickled without loading any class: they contain only builtin values and arrays.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import pickle
import socket
import struct
import tempfile
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

import numpy as np

from xent_conformance.calling.calls import Invocation, Outcome
from xent_conformance.calling.strides import behind, extent, once, overlapping, view_of, windows
from xent_conformance.formats import dtype_of, name_of
from xent_conformance.problem import AnyArray

#: Arrays of at least this many bytes are passed in shared memory.
LARGE = 1 << 15
#: Shared memory that is larger than this is freed after use.
KEPT = 1 << 26
_LENGTH = struct.Struct("<Q")
#: Seconds between two checks that the other side still exists.
GLANCE = 0.25
#: Most bytes of a message; each array in it is smaller than LARGE.
LONGEST = 1 << 28
_PACKED = "\0array"


class GarbledError(EOFError):
    """Received bytes that are not a message: something else than the other side has written to the connection."""


class Arena:
    """Memory that two processes share through a file descriptor; one of them writes, the other reads."""

    def __init__(self, descriptor: int | None = None) -> None:
        """Use a descriptor from the other side, or create a new memory."""
        self.descriptor = _anonymous() if descriptor is None else descriptor
        self._size = os.fstat(self.descriptor).st_size
        self._used = 0
        self._map: mmap.mmap | None = None

    def restart(self) -> None:
        """Begin a message; the content of the previous one is no longer needed."""
        if self._size > KEPT:
            os.ftruncate(self.descriptor, 0)
            self._size = 0
        self._used = 0

    def put(self, array: AnyArray) -> int:
        """Write a contiguous array; return its position."""
        start, end = self._used, self._used + array.nbytes
        if end > self._size:
            os.ftruncate(self.descriptor, end)
            self._size = end
        data = array.reshape(-1).view(np.uint8).data
        written = 0
        while written < array.nbytes:
            written += os.pwrite(self.descriptor, data[written:], start + written)
        self._used = -(-end // 64) * 64
        return start

    def get(self, start: int, length: int) -> memoryview:
        """The bytes that the other side has written."""
        size = os.fstat(self.descriptor).st_size
        if start < 0 or length < 0 or start + length > size:
            raise EOFError("a message refers to memory that does not exist")
        if self._map is None or len(self._map) != size:
            self._map = mmap.mmap(self.descriptor, size)
        return memoryview(self._map)[start : start + length]

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.descriptor)


def _anonymous() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("xent", 0)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Channel:
    """One end of the connection. ``outboxes`` are written here and read there."""

    def __init__(self, connection: socket.socket, outboxes: Sequence[Arena], inboxes: Sequence[Arena]) -> None:
        """Take over the connection; there must be as many inboxes as outboxes."""
        self._connection = connection
        self._outboxes, self._inboxes = outboxes, inboxes
        #: Bytes that were received together with the last message, and belong to the next.
        self._early = bytearray()
        self.select(0)

    def send(self, message: Any, limit: float | None = None) -> None:
        """Send a message of builtin values and results of :meth:`packed`.

        Raises TimeoutError if it is not received within ``limit`` seconds, OSError if the other side is gone.
        """
        data = pickle.dumps(message, protocol=5)
        self._connection.settimeout(limit)
        self._connection.sendall(_LENGTH.pack(len(data)) + data)

    def receive(self, limit: float = math.inf, gone: Callable[[], bool] = lambda: False) -> Any:
        """The next message.

        ``gone`` says whether the other side has ended: the connection may outlive it if a child process of it holds it
        open. Raises TimeoutError after ``limit`` seconds, EOFError or OSError if the other side is gone, GarbledError
        if the received bytes are not a message.
        """
        # It sleeps while it waits. Busy waiting was no faster (121 against 119 us for a round trip with a call of
        # 100 us), and on busy processors its median was 6 ms against 0.6 ms.
        deadline = monotonic() + limit
        (length,) = _LENGTH.unpack(self._bytes(_LENGTH.size, deadline, gone))
        if length > LONGEST:
            raise GarbledError
        data = self._bytes(length, deadline, gone)
        try:
            return _Plain(io.BytesIO(data)).load()
        except Exception as error:
            raise GarbledError from error

    def _bytes(self, count: int, deadline: float, gone: Callable[[], bool]) -> bytes:
        received, ended = self._early, False
        while len(received) < count:
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(min(left, GLANCE))
            try:
                # A message and its length arrive together.
                part = self._connection.recv(max(min(count - len(received), 1 << 20), 1 << 12))
            except TimeoutError:
                if not ended:
                    # Once more, for what may have arrived before it ended.
                    ended = gone()
                    continue
                part = b""
            if not part:
                raise EOFError("the other side is gone")
            received += part
        message = bytes(received[:count])
        del received[:count]
        return message

    def select(self, number: int) -> None:
        """Select the memories of the request with this number and of its answer."""
        self._outbox, self._inbox = (boxes[number % len(boxes)] for boxes in (self._outboxes, self._inboxes))

    def start(self, number: int) -> None:
        """Begin to pack the arrays of the message with this number."""
        self.select(number)
        self._outbox.restart()

    def packed(self, array: AnyArray) -> tuple[Any, ...]:
        """An array as plain data: its layout, and its bytes or their position in shared memory."""
        array = np.asarray(array)
        plain = array.flags.c_contiguous
        if plain:
            dense = array
        elif overlapping(array.shape, array.strides, array.itemsize):
            dense = behind(array)
        else:
            dense = np.ascontiguousarray(array[once(array.strides)])
        data: bytes | int = dense.tobytes() if dense.nbytes < LARGE else self._outbox.put(dense)
        strides = None if plain else array.strides
        return _PACKED, name_of(array.dtype), array.shape, strides, array.flags.writeable, data

    def unpacked(self, packed: tuple[Any, ...]) -> AnyArray:
        """The inverse of :meth:`packed`. An array in shared memory is valid only until the next message."""
        _, name, shape, strides, writeable, data = packed
        dtype = dtype_of(name)
        held = shape
        if strides is not None and overlapping(shape, strides, dtype.itemsize):
            held = (extent(shape, strides) // dtype.itemsize + 1,)
        elif strides is not None:
            held = tuple(1 if s == 0 else n for n, s in zip(shape, strides, strict=True))
        if isinstance(data, int):
            data = self._inbox.get(data, int(np.prod(held, dtype=np.int64)) * dtype.itemsize)
        dense: AnyArray = np.frombuffer(data, dtype=np.uint8).view(dtype).reshape(held)
        view = _with_strides(dense, shape, strides) if strides is not None else dense
        if writeable and not view.flags.writeable:
            return view.copy()
        if not writeable:
            view.flags.writeable = False
        return view

    def invocation(self, invocation: Invocation) -> tuple[Any, ...]:
        """An invocation as plain data."""
        options = {k: self.packed(v) if isinstance(v, np.ndarray) else v for k, v in invocation.options.items()}
        inputs = self._packed_all(invocation.inputs)
        return invocation.method, invocation.results, inputs, options, invocation.guarded, invocation.ordinary

    def invocation_of(self, data: tuple[Any, ...]) -> Invocation:
        """The inverse of :meth:`invocation`."""
        method, results, inputs, options, guarded, ordinary = data
        passed = {k: self.unpacked(v) if _is_packed(v) else v for k, v in options.items()}
        arrays = {k: None if v is None else self.unpacked(v) for k, v in inputs.items()}
        return Invocation(method, results, arrays, passed, guarded, ordinary)

    def outcome(self, outcome: Outcome) -> dict[str, Any]:
        """An outcome as plain data."""
        return {**vars(outcome), "arrays": self._packed_all(outcome.arrays)}

    def outcome_of(self, data: Mapping[str, Any]) -> Outcome:
        """The inverse of :meth:`outcome`; its arrays are copies."""
        unpacked = {k: self.unpacked(v) for k, v in data["arrays"].items()}
        arrays = {k: array if array.flags.owndata else np.array(array) for k, array in unpacked.items()}
        return Outcome(**{**data, "arrays": arrays})

    def _packed_all(self, arrays: Mapping[str, AnyArray | None]) -> dict[str, tuple[Any, ...] | None]:
        return {name: None if array is None else self.packed(array) for name, array in arrays.items()}

    def close(self) -> None:
        """Close the connection and all memories."""
        self._connection.close()
        for arena in (*self._outboxes, *self._inboxes):
            arena.close()


class _Plain(pickle.Unpickler):
    """An unpickler that loads only builtin values."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} is no plain data")


def _is_packed(value: Any) -> bool:
    return isinstance(value, tuple) and value[:1] == (_PACKED,)


def _with_strides(dense: AnyArray, shape: tuple[int, ...], strides: tuple[int, ...]) -> AnyArray:
    """A view with the given shape and strides that holds the elements of ``dense``."""
    if overlapping(shape, strides, dense.itemsize):
        return windows(dense.copy(), shape, strides)
    low = sum((n - 1) * s for n, s in zip(shape, strides, strict=True) if s < 0)
    high = sum((n - 1) * s for n, s in zip(shape, strides, strict=True) if s > 0) + dense.itemsize
    memory = np.zeros(high - low, dtype=np.uint8)
    view = view_of(memory, dense.dtype, shape, strides, -low)
    view[once(strides)] = dense
    return view
