"""Which files of this package a module runs: its own, and those of all that it imports.

Read from the source, so nothing is imported to find out; with the standard library alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

PACKAGE = Path(__file__).parent


def closure(module: str) -> list[Path]:
    """The files that run when a module is imported, or may run later; sorted.

    They are those of what it imports, within functions too, and of the packages on the way.

    Args:
        module: dotted, without the name of this package, such as ``judging.numbers``.

    Raises:
        ModuleNotFoundError: there is no such module.
    """
    found: set[Path] = set()
    waiting = {f"{PACKAGE.name}.{module}"}
    while waiting:
        name = waiting.pop()
        if (file := _file(name)) and file not in found:
            found.add(file)
            waiting |= {name.rpartition(".")[0], *_imported(file)}
    if not found:
        raise ModuleNotFoundError(f"{module}: no module of {PACKAGE}")
    return sorted(found)


@cache
def _file(name: str) -> Path | None:
    """The file of a module or package; None if it is none of ours, or no module."""
    top, *parts = name.split(".")
    path = PACKAGE.joinpath(*parts)
    files = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((file for file in files if top == PACKAGE.name and file.is_file()), None)


@cache
def _imported(file: Path) -> frozenset[str]:
    """What a file imports: modules, and names that may be modules."""
    package = ".".join((PACKAGE.name, *file.parent.relative_to(PACKAGE).parts))
    names = set()
    for statement in _statements(ast.parse(file.read_bytes())):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            module = resolve_name("." * statement.level + (statement.module or ""), package)
            names |= {module, *(f"{module}.{alias.name}" for alias in statement.names)}
    return frozenset(names)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements in a node, but those under ``if TYPE_CHECKING``, which never run."""
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        children = node.orelse
    for child in children:
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from _statements(child)
