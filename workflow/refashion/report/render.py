"""A document rendered as HTML and as LaTeX.

``report.j2`` and ``studies.j2`` have a document's words, once. What they are made of, headings,
paragraphs, tables, is defined in ``blocks.html.j2`` and ``blocks.tex.j2``, and what stands around
them in ``page.html.j2`` and ``page.tex.j2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from refashion.report import latex
from refashion.report.claims import effect
from refashion.text import capital, day, listed, sentence

# In LaTeX braces are taken: tags look like commands.
LATEX_TAGS: dict[str, Any] = {
    "block_start_string": "\\BLOCK{",
    "block_end_string": "}",
    "variable_start_string": "\\VAR{",
    "variable_end_string": "}",
    "comment_start_string": "\\COMMENT{",
    "comment_end_string": "}",
}


class PlainText(Extension):
    """What stands between the tags of a document is text, and escaped like that of a variable."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        for token in stream:
            if token.type == "data":
                text = re.sub(r"\S(.*\S)?", self._escape, token.value, flags=re.DOTALL)
                token = Token(token.lineno, "data", text)
            yield token

    def _escape(self, text: re.Match[str]) -> str:
        return str(markupsafe.escape((self.environment.finalize or str)(text[0])))


def render(
    context: Mapping[str, Any],
    template_dir: Path,
    out_html: Path,
    out_tex: Path,
    document: str = "report",
) -> None:
    """Write a document, ``report`` or ``studies``, as HTML and as LaTeX.

    ``out_tex`` must lie in ``results/<scale>``, as it names the figures relative to itself.

    Raises:
        jinja2.UndefinedError: a template uses a name that the context does not have.
        ValueError: a template prints None.
    """
    words = {each.__name__: each for each in (capital, day, effect, listed, sentence)}
    for form, out, finalize, tags in (
        ("html", out_html, _printable, {}),
        ("tex", out_tex, lambda value: latex.escape(_printable(value)), LATEX_TAGS),
    ):
        environment = partial(
            jinja2.Environment,
            loader=jinja2.FileSystemLoader(template_dir),
            undefined=jinja2.StrictUndefined,
            autoescape=True,
            finalize=finalize,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        layouts, documents = environment(**tags), environment(extensions=[PlainText])
        layouts.filters |= words | {"href": latex.link}
        documents.filters |= words
        layout = {name: layouts.get_template(f"{name}.{form}.j2") for name in ("page", "blocks")}
        text = documents.get_template(f"{document}.j2").render(context, **layout)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")


def _printable(value: Any) -> Any:
    if value is None:
        raise ValueError("a template prints None: say in the context what should stand there")
    return value
