"""Text and addresses as LaTeX, which as ``Markup`` is not escaped again."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from pylatexenc.latexencode import RULE_DICT, UnicodeToLatexConversionRule, UnicodeToLatexEncoder

_TICK = UnicodeToLatexConversionRule(RULE_DICT, {ord("✓"): r"\ensuremath{\checkmark}"})
_ENCODER = UnicodeToLatexEncoder(
    conversion_rules=[_TICK, "defaults"],
    unknown_char_policy=lambda character: f"[U+{ord(character):04X}]",
    unknown_char_warning=False,
    replacement_latex_protection="braces-all",
)


def escape(value: Any) -> Markup:
    """``value`` as LaTeX text that prints as it reads, whatever it holds; white space is one space.

    A character that LaTeX lacks becomes ``[U+2603]``.
    """
    if isinstance(value, Markup):
        return value
    text = "".join(c for c in " ".join(str(value).split()) if c.isprintable())
    text = re.sub(r"([-,'`])(?=\1)", "\\1\u200b", unicodedata.normalize("NFC", text))
    # A bracket would be an argument of a line break before it; -- is no dash here.
    parts = (_ENCODER.unicode_to_latex(part) for part in text.split("\u200b"))
    return Markup("{}".join(parts).replace("[", "{[}").replace("]", "{]}"))


def link(url: str) -> Markup:
    """A link that shows its address and may break anywhere."""
    address = quote(url, safe=":/?=&.,;+-_~%")
    for character in "%&_#":
        address = address.replace(character, f"\\{character}")
    shown = str(escape(url)).replace("/", r"/\allowbreak{}")
    return Markup(rf"\href{{{address}}}{{{shown}}}")
