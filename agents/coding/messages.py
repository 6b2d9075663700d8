"""Messages as digits of blocks, and files as messages.

A message is a whole number below the product of the blocks' sizes; its digits are its remainders,
the least significant block first.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from foundation.checks import whole

Message = int | Sequence[int]
"""A whole number, or its digits."""


class Corrupted(ValueError):
    """What was received is not what was sent."""


@dataclass(frozen=True)
class Blocks:
    """A mixed radix.

    >>> blocks = Blocks((4, 3))
    >>> blocks.digits(7), blocks.number((3, 1))
    ((3, 1), 7)

    Attributes:
        sizes: messages of each block, the least significant first; each at least 1.

    Raises:
        ValueError: no sizes, or one below 1.
    """

    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(int(size) for size in self.sizes))
        if not self.sizes:
            raise ValueError("there are no blocks: give the size of one at least, such as Blocks((256,))")
        for size in self.sizes:
            whole("a block's size", size)

    @classmethod
    def of_bits(cls, bits: int, block: int = 8) -> Blocks:
        """Blocks for any so many bits, `block` bits each; the last has what is left.

        >>> Blocks.of_bits(20).sizes
        (256, 256, 16)
        """
        whole("bits", bits)
        whole("block", block, most=20)
        return cls(tuple(1 << min(block, bits - at) for at in range(0, bits, block)))

    @property
    def count(self) -> int:
        """How many messages there are."""
        return math.prod(self.sizes)

    @property
    def bits(self) -> int:
        """Whole bits that a message holds."""
        return self.count.bit_length() - 1

    def must_cover(self, messages: int) -> None:
        """Refuse where there are fewer messages than that.

        Raises:
            ValueError: says how many there are.
        """
        if messages > self.count:
            raise ValueError(
                f"blocks of {_shown(self.sizes)} hold {_shown_count(self.count)} messages, not the "
                f"{_shown_count(messages)} that are asked for: add blocks, or make them larger"
            )

    def digits(self, message: Message) -> tuple[int, ...]:
        """A message's part in each block.

        Raises:
            ValueError: a number or digits outside.
        """
        if not isinstance(message, int | np.integer):
            digits = tuple(int(digit) for digit in message)
            if len(digits) != len(self.sizes):
                raise ValueError(f"{len(digits)} digits for {len(self.sizes)} blocks: give one for each")
            for block, (digit, size) in enumerate(zip(digits, self.sizes, strict=True)):
                if not 0 <= digit < size:
                    raise ValueError(f"digit {digit} of block {block}: expected a whole number from 0 to {size - 1}")
            return digits
        rest = int(message)
        if not 0 <= rest < self.count:
            raise ValueError(
                f"message {rest if abs(rest) < 1 << 64 else 'of ' + str(rest.bit_length()) + ' bits'}: expected a "
                f"whole number from 0 to below {_shown_count(self.count)}"
            )
        digits_of = []
        for size in self.sizes:
            rest, digit = divmod(rest, size)
            digits_of.append(digit)
        return tuple(digits_of)

    def number(self, digits: Sequence[int]) -> int:
        """The message with these digits.

        Raises:
            ValueError: digits outside.
        """
        message = 0
        for digit, size in zip(reversed(self.digits(digits)), reversed(self.sizes), strict=True):
            message = message * size + digit
        return message

    # Pictures: bits of a known number ------------------------------------------------------------

    def from_bits(self, bits: npt.ArrayLike) -> int:
        """The message of an array of 0 and 1 of any shape, the first bit the least significant.

        Raises:
            ValueError: other numbers, or more bits than blocks cover.
        """
        flat = np.asarray(bits).reshape(-1)
        if not np.isin(flat, (0, 1)).all():
            raise ValueError("bits are 0 or 1: threshold the picture first")
        self.must_cover(1 << len(flat))
        return int.from_bytes(np.packbits(flat.astype(np.uint8), bitorder="little").tobytes(), "little")

    def to_bits(self, message: Message, shape: int | tuple[int, ...]) -> npt.NDArray[np.uint8]:
        """The array that `from_bits` made a message of; bits beyond it are dropped.

        Args:
            message: a number or digits.
            shape: of the array.
        """
        count = int(np.prod(shape))
        low = self.number(self.digits(message)) & ((1 << count) - 1)
        packed = np.frombuffer(low.to_bytes(-(-count // 8), "little"), np.uint8)
        return np.unpackbits(packed, count=count, bitorder="little").reshape(shape)

    # Files: bytes of any number, over as many messages as it takes -------------------------------

    def messages_for(self, length: int) -> int:
        """How many messages content of so many bytes takes, its header included."""
        self._must_hold_a_bit()
        return -(-8 * (len(_header(length, 0)) + length) // self.bits)

    def from_bytes(self, content: bytes) -> list[int]:
        """The messages of a file.

        A header goes first: the length, seven bits a byte, the lowest first, 128 added while more
        follow; then the CRC-32 of the content, four bytes, the lowest first. Of header and content
        every message takes `bits` bits, the lowest first; the last is filled up with zeros.

        Raises:
            ValueError: blocks that hold no bit.
        """
        self._must_hold_a_bit()
        framed = _header(len(content), zlib.crc32(content)) + content
        stream = np.unpackbits(np.frombuffer(framed, np.uint8), bitorder="little")
        pieces = (stream[at : at + self.bits] for at in range(0, len(stream), self.bits))
        return [self.from_bits(piece) for piece in pieces]

    def to_bytes(self, messages: Iterable[Message]) -> bytes:
        """The file that `from_bytes` made messages of; more messages than it takes do no harm.

        Raises:
            Corrupted: the content is not as long as its header says, or has another CRC-32.
        """
        self._must_hold_a_bit()
        received = [self.number(self.digits(message)) for message in messages]
        if any(message >> self.bits for message in received):
            raise Corrupted("a message is none that a file is cut into: it was not received as it was sent")
        stream = np.concatenate([np.zeros(0, np.uint8), *(self.to_bits(message, self.bits) for message in received)])
        framed = np.packbits(stream[: len(stream) // 8 * 8], bitorder="little").tobytes()
        length, at = 0, 0
        for at, byte in enumerate(framed[:9], 1):
            length |= (byte & 127) << 7 * (at - 1)
            if byte < 128:
                break
        content = framed[at + 4 : at + 4 + length]
        if not framed or framed[at - 1] >= 128 or len(framed) < at + 4 + length:
            raise Corrupted(
                f"{len(framed)} bytes came, and their header asks for {length} and more: messages are missing, "
                "or were not received as they were sent"
            )
        if zlib.crc32(content) != int.from_bytes(framed[at : at + 4], "little"):
            raise Corrupted(f"the CRC-32 of {length} bytes is not that of the header: something was not received")
        return content

    def from_text(self, text: str) -> list[int]:
        """`from_bytes` of UTF-8."""
        return self.from_bytes(text.encode())

    def to_text(self, messages: Iterable[Message]) -> str:
        """`to_bytes` as UTF-8.

        Raises:
            Corrupted: as there, or it is no UTF-8.
        """
        try:
            return self.to_bytes(messages).decode()
        except UnicodeDecodeError as error:
            raise Corrupted(f"what came is no text in UTF-8: {error.reason}") from error

    def _must_hold_a_bit(self) -> None:
        if not self.bits:
            raise ValueError("a single message holds no bit: nothing can be sent in it. Give larger blocks")


def _header(length: int, checksum: int) -> bytes:
    sizes = bytearray()
    while length >= 128:
        sizes.append(length & 127 | 128)
        length >>= 7
    return bytes([*sizes, length]) + checksum.to_bytes(4, "little")


def _shown(sizes: tuple[int, ...]) -> str:
    words = ", ".join(map(str, sizes[:6]))
    return words if len(sizes) <= 6 else f"{words}, ... ({len(sizes)} blocks)"


def _shown_count(count: int) -> str:
    return f"{count:,}" if count < 1 << 64 else f"2**{count.bit_length() - 1}"
