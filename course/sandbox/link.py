"""Messages over a socket: between the grader, the keepers and the notebooks. Nothing that arrives is believed.

The few fixed words that are said on both sides of the walls stand here too.
"""

import json
import select
import socket
import struct
import time
from typing import Any

Message = tuple[dict[str, Any], bytes]

FAILURES = {
    "missing": "{} is not defined.",
    "no function": "{} is not a function.",
    "interrupted": "{} interrupted its own recording.",
    "memory": "{} used up the memory it may have.",
    "late": "{} has to be asked in a process of its own.",
}
"""Why a function has no recording. Fixed words: who says so has seen the hidden inputs."""

ALL_TIME_USED = "killed: all time used"
"""The status of a cell, and the reason of an answer, at which the time for the whole submission ended."""


class LinkClosed(Exception):
    """Nobody is at the other end any more."""


class Overflow(Exception):
    """The other end sent more than is accepted, or no message at all."""


class Link:
    """Messages over a stream socket: a JSON header and bytes. Never blocks unless asked to, believes nothing."""

    _LENGTHS = struct.Struct("<IQ")

    def __init__(self, sock: socket.socket, largest: int = 1 << 40, largest_header: int = 1 << 28) -> None:
        self.sock = sock
        self._largest, self._largest_header = largest, largest_header
        self._bytes = bytearray()

    def fileno(self) -> int:
        """The socket's number, for select."""
        return self.sock.fileno()

    def close(self) -> None:
        """Hang up."""
        self.sock.close()

    @classmethod
    def encode(cls, header: dict[str, Any], blob: bytes = b"") -> bytes:
        """A message as it travels."""
        text = json.dumps(header).encode()
        return cls._LENGTHS.pack(len(text), len(blob)) + text + blob

    def send(self, header: dict[str, Any], blob: bytes = b"") -> None:
        """Send a message, and wait until it is on its way. Raises LinkClosed when nobody is there."""
        try:
            self.sock.sendall(self.encode(header, blob))
        except OSError as error:
            raise LinkClosed from error

    def poll(self) -> Message | None:
        """The next message if all of it is here. Raises LinkClosed at the end, Overflow when it is too long.

        Receives once: whoever sends a byte at a time must not keep the one who listens from looking at the clock.
        """
        message = self._take()
        if message is not None:
            return message
        try:
            data = self.sock.recv(1 << 20, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise LinkClosed from error
        if not data:
            raise LinkClosed
        self._bytes += data
        return self._take()

    def wait(self, seconds: float | None = None) -> Message:
        """The next message; TimeoutError when it does not come in time."""
        end = None if seconds is None else time.monotonic() + seconds
        waiting = select.poll()
        waiting.register(self.sock, select.POLLIN)
        while (message := self.poll()) is None:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            waiting.poll(None if left is None else 1000 * left)
        return message

    def _take(self) -> Message | None:
        start = self._LENGTHS.size
        if len(self._bytes) < start:
            return None
        text, blob = self._LENGTHS.unpack_from(self._bytes)
        if blob > self._largest or text > self._largest_header:
            raise Overflow
        end = start + text + blob
        if len(self._bytes) < end:
            return None
        try:
            header = json.loads(bytes(self._bytes[start : start + text]))
        except (ValueError, RecursionError) as error:
            raise Overflow from error
        if not isinstance(header, dict):
            raise Overflow
        body = bytes(self._bytes[start + text : end])
        del self._bytes[:end]
        return header, body
