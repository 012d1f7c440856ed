"""What published numbers give away: held against the images, and against one another.

Each function looks for one thing and yields the findings; none is yielded where nothing is wrong.
Numbers come as the lines of the paper's tables, in lists of :class:`Printed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from refashion.judging.diagnosis.findings import IGNORANT, TRIVIAL, Finding
from refashion.paper.settings import setting, setting_label
from refashion.results.summary import distinct
from refashion.text import capital, count, listed, rounded

if TYPE_CHECKING:
    from refashion.judging.levels import Level, Levels
    from refashion.paper.metric import At
    from refashion.paper.papers import Paper
    from refashion.paper.spec import Row
    from refashion.paper.tables import Column, Table

# A printed mean of batches' means depends on the order of the images, which is not known; a
# normally distributed number lies within three standard deviations in 99.7 % of cases.
ORDER_SDS = 3
# A line's one number may repeat by chance; that two or more of them all do is taken for none.
REPEATED_NUMBERS = 2
# Mostly is more than half.
MOSTLY = 0.5


class Printed(NamedTuple):
    """One published number: the row, by object and printed name, and what it is a number of."""

    name: str
    row: Row
    table: Table
    column: Column
    value: float

    @property
    def what(self) -> tuple[str, At]:
        """The metric, and of which epoch."""
        return self.column.metric, self.column.at

    @property
    def place(self) -> str:
        return f"{self.table.label}, {self.name}"

    @property
    def text(self) -> str:
        return self.like(self.value)

    @property
    def half_unit(self) -> float:
        """How far rounding may have moved it."""
        return 0.5 * 10**-self.column.digits

    def like(self, value: float) -> str:
        """A value with as many decimals as this number is printed with."""
        return rounded(value, self.column.digits)

    def level(self, levels: Levels, name: str) -> Level:
        """What an output of this name has in its place."""
        return levels.level(self.row, self.column.metric, name)

    def tolerance(self, levels: Levels, name: str) -> float:
        """How far rounding and the order of the images can take it from a level."""
        return self.half_unit + ORDER_SDS * self.level(levels, name).order_sd


Line: TypeAlias = Sequence[Printed]


def printed_lines(paper: Paper) -> list[Line]:
    """The numbers of every line of every table that has any."""
    lines = [
        [
            Printed(line.row, paper.row(line.row), table, table.metrics[key], value)
            for key, value in line.published.items()
        ]
        for table in paper.tables
        for line in table.lines
    ]
    return [line for line in lines if line]


def as_printed(numbers: Iterable[Printed]) -> str:
    """``0.5925 (min. error, training) and 0.5913 (min. error, validation)``."""
    named = [(number.text, number.column.label) for number in numbers]
    return listed([f"{text} ({label[0].lower()}{label[1:]})" for text, label in named])


def _finding(
    kind: str, numbers: Iterable[Printed], evidence: list[str], consequence: str
) -> Finding:
    numbers = list(numbers)
    return Finding(
        kind,
        rows=distinct(number.name for number in numbers),
        evidence=evidence,
        consequence=consequence,
        tables=distinct(number.table.id for number in numbers),
        metrics=distinct(number.column.label for number in numbers),
    )


def _losses(line: Line) -> list[Printed]:
    return [number for number in line if number.column.unit == "loss"]


def _from_to(numbers: Line, values: Sequence[float]) -> str:
    low, high = (numbers[0].like(end) for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


# ---- against the images -------------------------------------------------------------------------


def _mean(levels: Levels, number: Printed, name: str) -> float:
    return number.level(levels, name).mean


def below_floor(lines: Sequence[Line], levels: Levels) -> Iterator[Finding]:
    """Errors that no output in the network's range has on these images."""
    for line in lines:
        below = [
            number
            for number in _losses(line)
            if number.value < _mean(levels, number, "floor") - number.tolerance(levels, "floor")
        ]
        if below:
            floors = listed([number.like(_mean(levels, number, "floor")) for number in below])
            yield _finding(
                "below_floor",
                below,
                [f"{line[0].place}: {as_printed(below)}; the least that can be is {floors}."],
                "The number was not measured as the paper describes it: images, normalisation, "
                "loss or last activation were others.",
            )


def mostly_floor(lines: Sequence[Line], levels: Levels) -> Iterator[Finding]:
    """Errors of which the network can only change the smaller part."""
    numbers = [n for line in lines for n in _losses(line) if _mean(levels, n, "floor") > 0]
    shares = [_mean(levels, number, "floor") / number.value for number in numbers]
    if not numbers or np.median(shares) <= MOSTLY:
        return
    said: list[str] = []
    for what in distinct(number.what for number in numbers):
        alike = [number for number in numbers if number.what == what]
        errors = [number.value for number in alike]
        over = [number.value - _mean(levels, number, "floor") for number in alike]
        said.append(
            f"{alike[0].column.label}: errors of {_from_to(alike, errors)} are an excess of "
            f"{_from_to(alike, over)} over a floor of "
            f"{_from_to(alike, [_mean(levels, number, 'floor') for number in alike])}."
        )
        if min(over) > 0:
            said[-1] += (
                f" The largest error is {max(errors) / min(errors):.2f} times the smallest, the "
                f"largest excess {max(over) / min(over):.0f} times."
            )
    protocol = levels.protocol(numbers[0].row)
    mean, std = protocol.normalisation.mean, protocol.normalisation.std
    low, high = protocol.limits
    yield _finding(
        "mostly_floor",
        numbers,
        [
            f"The normalised images reach from {rounded(-mean / std, 2)} to "
            f"{rounded((1 - mean) / std, 2)}, the outputs "
            + (f"from {low:g} to {high:g}" if np.isfinite(high) else f"from {low:g} up")
            + f": {100 * min(shares):.0f} % to {100 * max(shares):.0f} % of each printed error is "
            "out of reach of any weights.",
            *said,
        ],
        "What the rows differ in is the excess alone. Read as they stand, the errors make all "
        "networks look alike.",
    )


def trivial(
    lines: Sequence[Line], levels: Levels, collapsed: Mapping[str, tuple[int, int]]
) -> Iterator[Finding]:
    """Lines whose errors are all those of an output that does not depend on the image.

    ``collapsed`` has for each row that was run how many of how many runs collapsed.
    """
    for line in lines:
        name = _trivial_output(line, levels)
        if name is None:
            continue
        losses = _losses(line)
        said = f"{line[0].place}: {as_printed(losses)}. {capital(TRIVIAL[line[0].row.task][name])} "
        said += f"has {listed([n.like(_mean(levels, n, name)) for n in losses])}"
        for number in losses:
            level = number.level(levels, name)
            if level.order_sd > number.half_unit:
                said += (
                    f"; averaged over batches {number.like(level.batch_mean)} in the data "
                    f"set’s order, {number.like(level.mean)} ± {number.like(level.order_sd)} "
                    "in a random one"
                )
        evidence = [f"{said}."]
        failed, runs = collapsed.get(line[0].row.id, (0, 0))
        if runs:
            evidence.append(f"Of our runs of this row {failed} of {runs} collapsed.")
        yield _finding(
            "trivial",
            losses,
            evidence,
            "This is a failed training: the network puts out the same whatever it is shown. "
            f"{_what_is_not_judged(line, lines)} cannot be judged by this row.",
        )


def _trivial_output(line: Line, levels: Levels) -> str | None:
    """The trivial output that has all errors of a line, if one has."""
    losses = _losses(line)
    for name in TRIVIAL[line[0].row.task] if losses else ():
        if all(
            abs(number.value - _mean(levels, number, name)) <= number.tolerance(levels, name)
            for number in losses
        ):
            return name
    return None


def _what_is_not_judged(line: Line, lines: Sequence[Line]) -> str:
    """The settings in which a line's table has several values: what its numbers seem to show."""
    table = line[0].table
    rows = [other[0].row for other in lines if other[0].table is table]
    varied = [
        setting_label(key) for key in table.settings if len({setting(row, key) for row in rows}) > 1
    ]
    return capital(f"{listed(varied)} in {table.label}" if varied else table.label)


def no_better(lines: Sequence[Line], levels: Levels) -> Iterator[Finding]:
    """Errors above that of the best output that does not depend on the image."""
    worse: list[Printed] = []
    said: list[str] = []
    for line in lines:
        best = IGNORANT[line[0].row.task]
        above = [
            number
            for number in _losses(line)
            if number.value > _mean(levels, number, best) + number.tolerance(levels, best)
        ]
        if above and _trivial_output(line, levels) is None:
            worse += above
            levels_there = listed([number.like(_mean(levels, number, best)) for number in above])
            said.append(
                f"{line[0].place}: {as_printed(above)}, against {levels_there} for "
                f"{TRIVIAL[line[0].row.task][best]}."
            )
    if said:
        yield _finding(
            "no_better",
            worse,
            said,
            "A network that ignores the image does as well: these errors say that training had "
            "hardly begun, and nothing of what the network can do.",
        )


def order_of_floors(lines: Sequence[Line], levels: Levels) -> Iterator[Finding]:
    """Validation errors below training errors by about as much as their floors differ.

    About: what the floors leave of the difference is smaller than their own.
    """
    gaps: list[float] = []
    floors: list[float] = []
    explained: list[tuple[Printed, Printed]] = []
    pairs = [pair for line in lines for pair in _train_and_other(line)]
    pairs = [pair for pair in pairs if _mean(levels, pair[0], "floor") > 0]
    for pair in pairs:
        gap = pair[0].value - pair[1].value
        of_floors = _mean(levels, pair[0], "floor") - _mean(levels, pair[1], "floor")
        if gap > 0 and abs(gap - of_floors) < of_floors:
            explained.append(pair)
            gaps.append(gap)
            floors.append(of_floors)
    if not explained:
        return
    numbers = [number for pair in explained for number in pair]
    left = np.subtract(floors, gaps)
    yield _finding(
        "order_of_floors",
        numbers,
        [
            f"In {len(explained)} of {count(len(pairs), 'line')} the validation error is lower, by "
            f"{_from_to(numbers, gaps)}; its floor is lower by {_from_to(numbers, floors)}.",
            f"Over their floors the two errors are at most {numbers[0].like(np.abs(left).max())} "
            f"apart, and in {(left > 0).sum()} of these lines the validation error is the higher.",
        ],
        "That validation does better than training is a property of the two sets of images, and "
        "no sign of how well a network generalises.",
    )


def _train_and_other(line: Line) -> Iterator[tuple[Printed, Printed]]:
    """A line's errors on training and on other images that are averaged alike."""
    for train, other in combinations(_losses(line), 2):
        one, another = train.column.measures, other.column.measures
        alike = one.batch_mean == another.batch_mean and train.column.at == other.column.at
        if alike and one.series == "train" and another.series in ("val", "test"):
            yield train, other


# ---- against one another ------------------------------------------------------------------------


def repeated(lines: Sequence[Line]) -> Iterator[Finding]:
    """Lines of different rows that have all their common numbers the same."""
    for one, other in combinations(lines, 2):
        # Numbers of epochs are few and whole: that they repeat says nothing.
        known = {n.what: n for n in other if n.column.unit != "epochs"}
        both = [(number, known[number.what]) for number in one if number.what in known]
        if one[0].row.id == other[0].row.id or len(both) < REPEATED_NUMBERS:
            continue
        if all(number.value == again.value for number, again in both):
            yield _finding(
                "repeated",
                [number for pair in both for number in pair],
                [
                    f"{one[0].place}, and {other[0].place}: "
                    f"{as_printed(number for number, _ in both)} in both. "
                    f"The rows differ in {_differences(one[0].row, other[0].row)}."
                ],
                "At least one of the two lines does not show the run that it stands for, and the "
                "paper does not tell which: what rests on either is open.",
            )


def _differences(one: Row, other: Row) -> str:
    settings = [row.settings for row in (one, other)]
    keys = distinct([*settings[0], *settings[1]])
    different = [key for key in keys if settings[0].get(key) != settings[1].get(key)]
    return listed(
        [
            f"{setting_label(key)} ({setting(one, key)} and {setting(other, key)})"
            for key in different
        ]
    )


def two_results(lines: Sequence[Line]) -> Iterator[Finding]:
    """One row that two lines print with different numbers."""
    for one, other in combinations(lines, 2):
        known = {number.what: number for number in other}
        different = [
            (number, known[number.what])
            for number in one
            if number.what in known and not _alike(number, known[number.what])
        ]
        if one[0].row.id != other[0].row.id or not different:
            continue
        said: list[str] = []
        for number, again in different:
            apart = abs(number.value - again.value)
            between = _between_lines(lines, number, again)
            smaller = sum(difference <= apart + 1e-9 for difference in between)
            said.append(
                f"{number.column.label}: {number.text} ({number.place}) and {again.text} "
                f"({again.place}), {number.like(apart)} apart. "
                f"{smaller or 'None'} of the {count(len(between), 'pair')} of lines that these "
                f"tables compare {'are' if smaller > 1 else 'is'} as close."
            )
        yield _finding(
            "two_results",
            [number for pair in different for number in pair],
            said,
            "Two runs of one configuration differ by that much: a difference between rows that is "
            "no larger need not come from what the rows vary.",
        )


def _alike(one: Printed, other: Printed) -> bool:
    """Whether both can be one number, rounded to different digits."""
    coarser = max(one.half_unit, other.half_unit)
    rounding = coarser if one.half_unit != other.half_unit else 0
    return abs(one.value - other.value) <= rounding + 1e-9


def _between_lines(lines: Sequence[Line], one: Printed, other: Printed) -> list[float]:
    """How far any two lines of a table that the two numbers are in are apart in their metric."""
    numbers = [number for line in lines for number in line if number.what == one.what]
    return [
        abs(first.value - second.value)
        for table in distinct([one.table.id, other.table.id])
        for first, second in combinations([n for n in numbers if n.table.id == table], 2)
    ]


def patience(lines: Sequence[Line]) -> Iterator[Finding]:
    """Last and optimal epochs that no stopper with the row's patience leaves behind.

    It ends a training when the lowest validation error is ``patience`` epochs old. So, once it
    has, the optimum is just as old, or less by what falls of under ``min_delta`` do not count; and
    in a training that it let run to the end the optimum is no older.
    """
    ruled_out: list[Printed] = []
    said: list[str] = []
    needed: set[int] = set()
    for line in lines:
        row = line[0].row
        epochs = {n.column.at: n for n in line if n.column.unit == "epochs"}
        stop, best = epochs.get("final"), epochs.get("kept", epochs.get("lowest"))
        stopping = row.spec.early_stopping
        if not (stop and best and stopping):
            continue
        last, age = int(stop.value), int(stop.value) - int(best.value)
        ended_early = last < row.spec.epochs
        younger = age < stopping.patience and (not ended_early or stopping.min_delta)
        if age == stopping.patience or younger:
            continue
        ruled_out += [stop, best]
        needed.add(age)
        said.append(f"{line[0].place}: {_out_of_patience(row, last, age)}")
    if not said:
        return
    if len(needed) > 1:
        said.append(f"No one patience fits these rows: they need {listed(sorted(needed))}.")
    yield _finding(
        "patience",
        ruled_out,
        said,
        "The weights that were measured are not those that the stopper would restore: the epoch "
        "was chosen in another way, or the stopper is not the one described.",
    )


def _out_of_patience(row: Row, last: int, age: int) -> str:
    """What a stopper would have left of a training to epoch ``last`` whose optimum is so old."""
    assert row.spec.early_stopping
    waits, most, optimum = row.spec.early_stopping.patience, row.spec.epochs, last - age
    ended = f"ended by it at epoch {last} of {most} has its lowest error at {last - waits}"
    ran = f"that reaches epoch {last} has its lowest error no earlier than at {last - waits}"
    otherwise = f"; with the lowest at {optimum} it would have ended at {optimum + waits}"
    return (
        f"with patience {waits}, a training {ended if last < most else ran} ({last} − {waits})"
        f"{otherwise if age > waits else ''}. Epoch {optimum} is called optimal, which needs "
        f"patience {age} ({last} − {optimum})."
    )
