"""Keeps NetHack's library loaded between episodes: a reset puts its variables back instead of
loading the file again.

nle gives every game its own copy of libnethack.so and, to begin an episode with clean variables,
unloads and loads that copy anew. Most of a reset's time goes into that: mapping, relocating,
faulting pages in. NetHack's variables are 300 kB; kept as they were just after loading, they are
put back in microseconds.

nle's binding calls `dlopen` through its table of imported functions. We put a function of ours
there that passes everything on, except that a copy which it was told to keep stays loaded (we hold
a reference of our own) and gets its variables back. All copies also share one set of code pages, so
that many games fit into the processor's caches, and see a clock that stands still
(`envs.nethack.clock`). Where the binding does not look as expected, nothing is changed: resets and
clock are nle's own.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from nle import _pynethack
from nle.nethack.nethack import DLPATH

from envs.nethack import clock

_DLOPEN = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
_PROCEDURE = ctypes.CFUNCTYPE(None)
_CALLED_FROM_C: list[object] = []  # a function that C has the address of must live as long as the process
_Procedure = Callable[[], None]
_LOAD, _RELA, _JUMP_SLOT, _SECTION_WRITABLE, _SEGMENT_WRITABLE, _SEGMENT_EXECUTABLE = 1, 4, 7, 1, 2, 1


@dataclass(frozen=True)
class _Elf:
    """What we need to know of a 64-bit ELF file; offsets are from the address it is loaded at.

    Attributes:
        slots: imported function -> offset of the pointer through which it is called.
        variables: (offset, size) of .data and .bss.
        begin, end: (offset, size) of the tables of functions to call after loading and before
            unloading.
        constants: (offset, size, offset in the file, executable) of the segments that nobody writes
            to, whole pages.
    """

    slots: dict[str, int]
    variables: list[tuple[int, int]]
    begin: tuple[int, int]
    end: tuple[int, int]
    constants: list[tuple[int, int, int, bool]]


def _read_elf(path: str) -> _Elf:
    with open(path, "rb") as file:
        data = file.read()
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{path} is not a 64-bit little-endian ELF file")
    segments_at, sections_at = struct.unpack_from("<QQ", data, 32)
    segment_size, segment_count, section_size, section_count, names_index = struct.unpack_from("<HHHHH", data, 54)
    sections = [struct.unpack_from("<IIQQQQII", data, sections_at + i * section_size) for i in range(section_count)]
    names = sections[names_index][4]

    def text(at: int) -> str:
        return data[at : data.index(b"\0", at)].decode()

    slots, variables, tables = {}, [], {".init_array": (0, 0), ".fini_array": (0, 0)}
    for name, kind, flags, address, start, length, link, _ in sections:
        title = text(names + name)
        if kind == _RELA and title == ".rela.plt":
            symbols = sections[link]
            strings = sections[symbols[6]][4]
            for entry in range(start, start + length, 24):
                slot, info = struct.unpack_from("<QQ", data, entry)
                if info & 0xFFFFFFFF == _JUMP_SLOT:
                    (symbol,) = struct.unpack_from("<I", data, symbols[4] + 24 * (info >> 32))
                    slots[text(strings + symbol)] = slot
        elif title in tables:
            tables[title] = (address, length)
        elif flags & _SECTION_WRITABLE and title in (".data", ".bss"):
            variables.append((address, length))
    constants = []
    for index in range(segment_count):
        kind, flags, offset, address, _, in_file = struct.unpack_from(
            "<IIQQQQ", data, segments_at + index * segment_size
        )
        if kind == _LOAD and not flags & _SEGMENT_WRITABLE:
            slack = address % mmap.PAGESIZE
            pages = -(-(in_file + slack) // mmap.PAGESIZE) * mmap.PAGESIZE
            constants.append((address - slack, pages, offset - slack, bool(flags & _SEGMENT_EXECUTABLE)))
    return _Elf(slots, variables, tables[".init_array"], tables[".fini_array"], constants)


def _mapped_at(inode: int) -> int:
    """Where this process has mapped the beginning of a file."""
    with open("/proc/self/maps") as maps:
        lines = [line.split() for line in maps]
    return min(int(line[0].split("-")[0], 16) for line in lines if line[4] == str(inode) and int(line[2], 16) == 0)


@dataclass(frozen=True)
class _Fresh:
    """A copy's variables as they are after loading, and what loading and unloading call."""

    variables: list[tuple[int, bytes]]
    begin: list[_Procedure]
    end: list[_Procedure]

    def restore(self) -> None:
        """What loading it again would do: its own clean-up, fresh variables, its start."""
        for procedure in self.end:
            procedure()
        for address, content in self.variables:
            ctypes.memmove(address, content, len(content))
        for procedure in self.begin:
            procedure()


def _procedures(base: int, table: tuple[int, int]) -> list[_Procedure]:
    count = table[1] // ctypes.sizeof(ctypes.c_void_p)
    return [_PROCEDURE(address) for address in (ctypes.c_void_p * count).from_address(base + table[0]) if address]


class _Keeper:
    """The function in the binding's table, and the copies that it keeps loaded.

    Raises:
        ValueError, KeyError, OSError: the binding or the library is not built as expected; nothing
            has been changed.
    """

    def __init__(self) -> None:
        process = ctypes.CDLL(None, use_errno=True)
        process.dlopen.restype, process.dlopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
        process.dlclose.argtypes = [ctypes.c_void_p]
        process.mmap.restype = ctypes.c_void_p
        process.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        self._process = process
        self._library = _read_elf(DLPATH)
        if len(self._library.variables) != 2 or "time" not in self._library.slots:
            raise ValueError("libnethack.so has no .data and .bss of its own, or asks nobody for the time")
        self._file = os.open(DLPATH, os.O_RDONLY | os.O_CLOEXEC)
        self._kept: dict[int, int] = {}
        self._fresh: dict[int, _Fresh] = {}
        binding = str(_pynethack.__file__)
        slot = _mapped_at(os.stat(binding).st_ino) + _read_elf(binding).slots["dlopen"]
        hook = _DLOPEN(self._open)
        _CALLED_FROM_C.append(hook)
        ctypes.c_void_p.from_address(slot).value = ctypes.cast(hook, ctypes.c_void_p).value

    def keep(self, path: str) -> int:
        """From its next loading on, keep this copy; returns its name for `let_go`."""
        inode = os.stat(path).st_ino  # paths are /proc/self/fd/N: another game's before and after this one's life
        self._kept[inode] = 0
        return inode

    def let_go(self, inode: int) -> None:
        """Give our reference to a copy back."""
        handle = self._kept.pop(inode, 0)
        self._fresh.pop(inode, None)
        if handle:
            self._process.dlclose(handle)

    def _open(self, path: bytes | None, flags: int) -> int | None:
        inode = os.stat(path).st_ino if path and os.path.exists(path) else -1
        if flags & os.RTLD_NOLOAD and inode in self._fresh:
            return None  # the binding makes sure that its copy is gone; it is as good as that
        handle = self._process.dlopen(path, flags)
        if handle and inode in self._fresh:
            self._fresh[inode].restore()
        elif handle and inode in self._kept:
            base = _mapped_at(inode)
            self._share_constants(base)
            ctypes.c_void_p.from_address(base + self._library.slots["time"]).value = clock.TIME
            library = self._library
            variables = [(base + at, ctypes.string_at(base + at, size)) for at, size in library.variables]
            self._fresh[inode] = _Fresh(variables, _procedures(base, library.begin), _procedures(base, library.end))
            self._kept[inode] = self._process.dlopen(path, flags)
        return handle if handle is None else int(handle)

    def _share_constants(self, base: int) -> None:
        """Map code and constants from the installed file: all games then share those pages."""
        for offset, size, in_file, executable in self._library.constants:
            rights = mmap.PROT_READ | (mmap.PROT_EXEC if executable else 0)
            flags = mmap.MAP_PRIVATE | 0x10  # MAP_FIXED
            if self._process.mmap(base + offset, size, rights, flags, self._file, in_file) != base + offset:
                raise OSError(ctypes.get_errno(), "the library's code could not be mapped again")


@functools.cache
def keeper() -> _Keeper | None:
    """The keeper of this process; None, with one warning, where libraries cannot be kept."""
    try:
        return _Keeper()
    except (ValueError, KeyError, OSError, struct.error) as error:
        warnings.warn(
            "NetHack's library is loaded anew at every reset, which is slower, and games see the machine's clock: "
            f"{error!r}",
            stacklevel=2,
        )
        return None
