"""What machine a program is for, by the first bytes of its file."""

# ruff: noqa: PTH123 - plain paths, as in kaa.environments.facts
from __future__ import annotations

import os
import struct

_ELF = {3: "i686", 21: "ppc64le", 22: "s390x", 40: "armv7l", 62: "x86_64", 183: "aarch64"}
_MACH = {0x01000007: "x86_64", 0x0100000C: "arm64"}
_FAT = (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")
"""How programs for several machines of Apple's begin."""
_INTERPRETER = 3
_PE = {0x14C: "x86", 0x8664: "amd64", 0xAA64: "arm64"}


def architecture_of(file: str) -> str | None:
    """Return the machine that a program is for, in lower case as ``platform.machine`` names it.

    None for scripts, for programs for several machines, and for what cannot be told. Formats: ELF,
    Mach-O and PE/COFF.
    """
    return _machine(_head(file))


def _head(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read(4096)
    except OSError:
        return b""


def _machine(head: bytes) -> str | None:
    if head[:4] == b"\x7fELF" and len(head) >= 20:
        order = "<" if head[5] == 1 else ">"
        return _ELF.get(struct.unpack_from(f"{order}H", head, 18)[0])
    if head[:4] == b"\xcf\xfa\xed\xfe" and len(head) >= 8:
        return _MACH.get(struct.unpack_from("<I", head, 4)[0])
    if head[:2] == b"MZ" and len(head) >= 64:
        place = struct.unpack_from("<I", head, 60)[0]
        if head[place : place + 4] == b"PE\0\0" and len(head) >= place + 6:
            return _PE.get(struct.unpack_from("<H", head, place + 4)[0])
    return None


def can_be_executed(file: str, machine: str) -> bool:
    """Say whether the system will start a program, as far as that can be told for certain.

    It is this user's to execute, for ``machine`` (``platform.machine``'s word, in lower case), and
    the loader that it names (ELF's ``PT_INTERP``) is there. False for scripts, whatever they name.
    """
    if not os.access(file, os.X_OK):
        return False
    head = _head(file)
    if head[:4] in _FAT:
        return True
    if _machine(head) != machine:
        return False
    return head[:4] != b"\x7fELF" or _has_loader(head)


def _has_loader(head: bytes) -> bool:
    """Say whether the loader of an ELF file of 64 bits is there, or none is needed."""
    if head[4] != 2:
        return False
    order = "<" if head[5] == 1 else ">"
    try:
        (begin,) = struct.unpack_from(f"{order}Q", head, 32)
        size, count = struct.unpack_from(f"{order}HH", head, 54)
        for number in range(count):
            at = begin + number * size
            (kind,) = struct.unpack_from(f"{order}I", head, at)
            if kind != _INTERPRETER:
                continue
            (offset,) = struct.unpack_from(f"{order}Q", head, at + 8)
            (length,) = struct.unpack_from(f"{order}Q", head, at + 32)
            name = head[offset : offset + length].rstrip(b"\0")
            return bool(name) and os.access(name, os.X_OK)
    except struct.error:
        return False  # further back than anybody puts it
    return True
