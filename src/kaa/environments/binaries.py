"""What machine a program is for, by the first bytes of its file."""

# ruff: noqa: PTH123 - plain paths, as in kaa.environments.facts
from __future__ import annotations

import struct

_ELF = {3: "i686", 21: "ppc64le", 22: "s390x", 40: "armv7l", 62: "x86_64", 183: "aarch64"}
_MACH = {0x01000007: "x86_64", 0x0100000C: "arm64"}
_PE = {0x14C: "x86", 0x8664: "amd64", 0xAA64: "arm64"}


def architecture_of(file: str) -> str | None:
    """Return the machine that a program is for, in lower case as ``platform.machine`` names it.

    None for scripts, for programs for several machines, and for what cannot be told. Formats: ELF,
    Mach-O and PE/COFF.
    """
    try:
        with open(file, "rb") as stream:
            head = stream.read(4096)
    except OSError:
        return None
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
