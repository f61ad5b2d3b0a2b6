"""Bytes as people write them: 320KB, 8GiB, 1.5 MB, 262144."""

from __future__ import annotations

import re

from mbprof.errors import UsageError

_UNITS = {"": 1, **{f"{p}b": 1000 ** (i + 1) for i, p in enumerate("kmgt")}}
_UNITS |= {"b": 1, **{f"{p}ib": 1024 ** (i + 1) for i, p in enumerate("kmgt")}}
_AMOUNT = r"(?i)([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([kmgt]?i?b?)"


def read_bytes(text: str) -> int:
    """Read a number of bytes, rounded down; KB are 1000 bytes and KiB 1024.

    Raises: UsageError: the text is none.

    >>> read_bytes("320KB"), read_bytes("8 GiB"), read_bytes("1.5MB")
    (320000, 8589934592, 1500000)
    """
    matched = re.fullmatch(_AMOUNT, text.strip())
    unit = matched[2].lower() if matched else ""
    if matched is None or unit not in _UNITS:
        raise UsageError(f"{text!r} is no number of bytes", hint="write 320KB, 8GiB or 262144")
    whole, _, part = matched[1].partition(".")
    scale = int(10 ** len(part))
    return int(f"{whole}{part}") * int(_UNITS[unit]) // scale


def spelled_bytes(count: int) -> str:
    """Write bytes with the largest unit that leaves at least one of it.

    >>> spelled_bytes(55296), spelled_bytes(768), spelled_bytes(8589934592)
    ('54.0 KiB', '768 bytes', '8.00 GiB')
    """
    power = min((count.bit_length() - 1) // 10, 4) if count >= 1024 else 0
    if not power:
        return f"{count} bytes"
    value = count / 1024**power
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {'KMGT'[power - 1]}iB"
