"""A paper's file as far as it is of the right form: what its checks ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from refashion.paper.problems import Misfits, Problems, repeated, show, unknown
from refashion.paper.spec import Defaults, Entry, Row

if TYPE_CHECKING:
    from refashion.paper.architectures import Architecture
    from refashion.paper.claims import Claim
    from refashion.paper.figures import Figure
    from refashion.paper.papers import Assumption
    from refashion.paper.studies import StudyEntry
    from refashion.paper.tables import ConfusionMatrix, Table


@dataclass(frozen=True)
class Sheet:
    """The sections' entries of the right form, by index, and where problems are noted.

    ``names`` has the index of every id and alias, also of rows that are wrong otherwise; ``rows``
    are those that are right. ``defaults`` are None if they are wrong, and then no row is right; an
    architecture is None if it is wrong.
    """

    key: str
    file: str
    problems: Problems
    names: Mapping[str, int]
    defaults: Defaults | None
    architectures: Mapping[str, Architecture | None]
    entries: Mapping[int, Entry]
    tables: Mapping[int, Table]
    confusion_matrices: Mapping[int, ConfusionMatrix]
    assumptions: Mapping[int, Assumption]
    figures: Mapping[int, Figure]
    claims: Mapping[int, Claim]
    studies: Mapping[int, StudyEntry]
    rows: dict[int, Row] = field(default_factory=dict[int, Row])

    def row(self, name: str) -> Row | None:
        """The row of this id or alias, if it is right."""
        return self.rows.get(self.names.get(name, -1))

    def misfits(self, key: str, name: str, *lacking: Callable[[Row], Iterable[str]]) -> Misfits:
        """Why no row of this name will do: there is none, or it lacks something, as each can say.

        Of a row that is wrong itself, this is said already.
        """
        if name not in self.names:
            yield key, unknown(name, self.names, "row of this paper")
        elif row := self.row(name):
            for reasons in lacking:
                yield from ((key, f"{show(name)} {reason}") for reason in reasons(row))

    def rows_of(self, names: Iterable[str]) -> dict[int, Row]:
        """The rows of these ids or aliases that are right, by index."""
        return {self.names[name]: row for name in names if (row := self.row(name))}

    def twice(self, names: Iterable[tuple[int, str]]) -> Iterator[tuple[int, int]]:
        """Of (position, name) the positions whose row another before names, each with that one."""
        known = ((self.names[name], index) for index, name in names if name in self.names)
        for _, index, other in repeated(known):
            yield index, other
