"""What a part of a claim's test is held against: the runs of one seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from refashion.errors import NotTestedError
from refashion.paper.metric import Moment

if TYPE_CHECKING:
    import numpy as np

# (row id, metric, name of a level) to the error of a trivial output on the row's images.
Levels = Callable[[str, str, str], float]


class Run(Protocol):
    """What is asked of a :class:`refashion.results.run.Run`, which is read where papers are not.

    What it lacks raises ``NotTestedError``.
    """

    @property
    def row(self) -> str: ...
    @property
    def diverged(self) -> bool: ...
    @property
    def epochs_saved(self) -> int: ...
    @property
    def history(self) -> Sequence[Mapping[str, float]]: ...
    @property
    def confusion(self) -> np.ndarray[Any, Any]: ...
    def at(self, metric: str, moment: Moment) -> float: ...
    def output(self, name: str) -> np.ndarray[Any, Any]: ...


@dataclass(frozen=True)
class Case:
    """One seed's runs, by row id; ``levels`` may lack if no part needs one."""

    runs: Mapping[str, Run]
    levels: Levels | None = None

    def run(self, row: str) -> Run:
        """A completed run.

        Raises:
            NotTestedError: there is none.
        """
        if row not in self.runs:
            raise NotTestedError(f"{row} was not run")
        if self.runs[row].diverged:
            raise NotTestedError(f"{row} diverged")
        return self.runs[row]
