"""Numbers and prose in words."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any

NONE = "–"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


# ---- numbers ------------------------------------------------------------------------------------


def rounded(value: float | None, decimals: int, sign: bool = False) -> str:
    """A number with a true minus; ``sign`` writes the plus too; None is a dash."""
    if value is None:
        return NONE
    text = f"{value:{'+' if sign else ''}.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")  # neither +0.0000 nor -0.0000 says anything
    return text.replace("-", "−")


def count(items: int, noun: str) -> str:
    """``1 run``, ``3 runs``."""
    return f"{items:,} {noun}" + ("" if items == 1 else "s")


def span(numbers: Sequence[float], decimals: int = 0) -> str:
    """``30``, or ``34 to 38``: what is rounded to one number is one."""
    low, high = rounded(min(numbers), decimals), rounded(max(numbers), decimals)
    return low if low == high else f"{low} to {high}"


def duration(seconds: float) -> str:
    """``6 s``, ``3 min 10 s``, ``2 h 05 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


# ---- prose --------------------------------------------------------------------------------------


def listed(items: Sequence[Any]) -> str:
    """``a, b and c``."""
    items = [str(item) for item in items]
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def sentence(text: str) -> str:
    """Prose from YAML on one line, with printers' quotation marks, ended by a full stop."""
    text = " ".join(text.split())
    for straight, curly in (
        (r"(?<!\w)'(?=\w)", "‘"),
        ("'", "’"),
        (r'(?<!\w)"(?=\w)', "“"),
        ('"', "”"),
    ):
        text = re.sub(straight, curly, text)
    return text if not text or text[-1] in ".!?:" else f"{text}."


def capital(text: str) -> str:
    """A capital first letter, except in symbols such as n₁."""
    return text if text[1:2] in tuple("₀₁₂₃₄₅₆₇₈₉") else text[:1].upper() + text[1:]


def day(date: str) -> str:
    """``2025-02-12`` as 12 February 2025; a year, or a year and month, likewise."""
    layouts = {4: ("%Y", "%Y"), 7: ("%Y-%m", "%B %Y"), 10: ("%Y-%m-%d", "%d %B %Y")}
    read, write = layouts[len(date)]
    return datetime.datetime.strptime(date, read).strftime(write).lstrip("0")


def general(value: float) -> str:
    """A number at its own precision: ``0.001``, ``10⁻⁵``, ``2.5 × 10⁻⁵``."""
    digits, _, power = f"{value:g}".partition("e")
    if not power:
        return digits
    factor = "" if digits == "1" else f"{digits} × "
    return f"{factor}10{str(int(power)).translate(SUPERSCRIPTS)}"
