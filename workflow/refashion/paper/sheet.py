"""A paper's file as far as it is checked, and where what is wrong with it is noted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refashion.paper.problems import Problems, unknown
from refashion.paper.spec import Row


@dataclass(frozen=True)
class Sheet:
    """The rows that are right, by index, and the index of every row's name, wrong rows' too."""

    rows: Mapping[int, Row]
    names: Mapping[str, int]
    problems: Problems

    def index(self, name: str, at: str) -> int | None:
        """The index of the row of this id or alias; None, and a problem at ``at``, if none is."""
        if name not in self.names:
            self.problems.add(at, unknown(name, self.names, "row of this paper"))
            return None
        return self.names[name]

    def row(self, name: str) -> Row | None:
        """The row of this id or alias, if it is right."""
        return self.rows.get(self.names.get(name, -1))
