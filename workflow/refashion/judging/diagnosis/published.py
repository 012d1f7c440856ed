"""What published numbers give away: held against the images, and against one another.

Each function looks for one thing and yields the findings; none is yielded where nothing is wrong.
Numbers come as the lines of the paper's tables, in lists of :class:`Printed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations, compress
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from refashion.judging.diagnosis.findings import CONSEQUENCES, IGNORANT, TRIVIAL, Finding
from refashion.paper.settings import setting, setting_label
from refashion.results.summary import distinct
from refashion.text import capital, count, listed, rounded, span

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
    """One published number: the row, by object and printed name, and what it is a number of.

    ``levels`` are those of the images that it is of.
    """

    name: str
    row: Row
    table: Table
    column: Column
    value: float
    levels: Levels

    @property
    def what(self) -> tuple[str, At]:
        """The metric, and of which epoch."""
        return self.column.metric, self.column.at

    @property
    def place(self) -> str:
        return f"{self.table.label}, {self.name}"

    @property
    def half_unit(self) -> float:
        """How far rounding may have moved it."""
        return 0.5 * 10**-self.column.digits

    def like(self, value: float) -> str:
        """A value with as many decimals as this number is printed with."""
        return rounded(value, self.column.digits)

    def level(self, name: str) -> Level:
        """What an output of this name has in its place."""
        return self.levels.level(self.row, self.column.metric, name)

    @property
    def floor(self) -> float:
        return self.level("floor").mean

    def side_of(self, name: str) -> int:
        """-1 below a level and 1 above it by more than rounding and the order of images; else 0."""
        level = self.level(name)
        tolerance = self.half_unit + ORDER_SDS * level.order_sd
        return int(self.value > level.mean + tolerance) - int(self.value < level.mean - tolerance)


Line: TypeAlias = Sequence[Printed]


def printed_lines(paper: Paper, levels: Levels) -> list[Line]:
    """The numbers of every line of every table that has any."""
    lines = [
        [
            Printed(line.row, paper.row(line.row), table, table.metrics[key], value, levels)
            for key, value in line.published.items()
        ]
        for table in paper.tables
        for line in table.lines
    ]
    return [line for line in lines if line]


def _finding(kind: str, numbers: Iterable[Printed], evidence: list[str], **filled: str) -> Finding:
    numbers = list(numbers)
    return Finding(
        kind,
        rows=distinct(number.name for number in numbers),
        evidence=evidence,
        consequence=CONSEQUENCES[kind].format(**filled),
        tables=distinct(number.table.id for number in numbers),
        metrics=distinct(number.column.label for number in numbers),
    )


def as_printed(numbers: Iterable[Printed]) -> str:
    """``0.5925 (min. error, training) and 0.5913 (min. error, validation)``."""
    named = [(number.like(number.value), number.column.label) for number in numbers]
    return listed([f"{text} ({label[0].lower()}{label[1:]})" for text, label in named])


def _levels(numbers: Line, name: str) -> str:
    """``0.5692 and 0.5667``: what an output has in the place of each number."""
    return listed([number.like(number.level(name).mean) for number in numbers])


def _losses(line: Line) -> list[Printed]:
    return [number for number in line if number.column.unit == "loss"]


# ---- against the images -------------------------------------------------------------------------


def below_floor(lines: Sequence[Line]) -> Iterator[Finding]:
    """Errors that no output in the network's range has on these images."""
    for line in lines:
        if below := [number for number in _losses(line) if number.side_of("floor") < 0]:
            said = f"{below[0].place}: {as_printed(below)}; the least that can be is "
            yield _finding("below_floor", below, [f"{said}{_levels(below, 'floor')}."])


def mostly_floor(lines: Sequence[Line]) -> Iterator[Finding]:
    """Errors of which the network can only change the smaller part."""
    numbers = [number for line in lines for number in _losses(line) if number.floor > 0]
    shares = [number.floor / number.value for number in numbers]
    if not numbers or np.median(shares) <= MOSTLY:
        return
    protocol = numbers[0].levels.protocol(numbers[0].row)
    mean, std = protocol.normalisation.mean, protocol.normalisation.std
    low, high = protocol.limits
    outputs = f"from {low:g} to {high:g}" if np.isfinite(high) else f"from {low:g} up"
    reach = (
        f"The normalised images reach from {rounded(-mean / std, 2)} to "
        f"{rounded((1 - mean) / std, 2)}, the outputs {outputs}: {100 * min(shares):.0f} % to "
        f"{100 * max(shares):.0f} % of each printed error is out of reach of any weights."
    )
    alike = [[n for n in numbers if n.what == what] for what in distinct(n.what for n in numbers)]
    yield _finding("mostly_floor", numbers, [reach, *map(_over_floor, alike)])


def _over_floor(numbers: Line) -> str:
    """How much one metric's errors differ as they stand, and in what is over their floors."""
    column = numbers[0].column
    errors, floors = [number.value for number in numbers], [number.floor for number in numbers]
    over = [error - floor for error, floor in zip(errors, floors, strict=True)]
    said = (
        f"{column.label}: errors of {span(errors, column.digits)} are an excess of "
        f"{span(over, column.digits)} over a floor of {span(floors, column.digits)}."
    )
    if min(over) > 0:
        said += (
            f" The largest error is {max(errors) / min(errors):.2f} times the smallest, the "
            f"largest excess {max(over) / min(over):.0f} times."
        )
    return said


def trivial(lines: Sequence[Line], collapsed: Mapping[str, tuple[int, int]]) -> Iterator[Finding]:
    """Lines whose errors are all those of an output that does not depend on the image.

    ``collapsed`` has for each row that was run how many of how many runs collapsed.
    """
    for line in lines:
        name, losses, row = _trivial_output(line), _losses(line), line[0].row
        if name is None:
            continue
        said = f"{line[0].place}: {as_printed(losses)}. {capital(TRIVIAL[row.task][name])} has "
        said += _levels(losses, name)
        for number in losses:
            level = number.level(name)
            if level.order_sd > number.half_unit:
                said += (
                    f"; averaged over batches {number.like(level.batch_mean)} in the data "
                    f"set’s order, {number.like(level.mean)} ± {number.like(level.order_sd)} "
                    "in a random one"
                )
        failed, runs = collapsed.get(row.id, (0, 0))
        ours = [f"Of our runs of this row {failed} of {runs} collapsed."] if runs else []
        settings = _what_is_not_judged(line[0].table, lines)
        yield _finding("trivial", losses, [f"{said}.", *ours], settings=settings)


def _trivial_output(line: Line) -> str | None:
    """The trivial output that has all errors of a line, if one has."""
    losses = _losses(line)
    for name in TRIVIAL[line[0].row.task] if losses else ():
        if all(number.side_of(name) == 0 for number in losses):
            return name
    return None


def _what_is_not_judged(table: Table, lines: Sequence[Line]) -> str:
    """The settings in which a table's lines differ: what its numbers seem to show."""
    rows = [line[0].row for line in lines if line[0].table is table]
    varied = [key for key in table.settings if len({setting(row, key) for row in rows}) > 1]
    said = listed([setting_label(key) for key in varied])
    return capital(f"{said} in {table.label}" if varied else table.label)


def no_better(lines: Sequence[Line]) -> Iterator[Finding]:
    """Errors above that of the best output that does not depend on the image."""
    worse: list[Printed] = []
    said: list[str] = []
    for line in lines:
        task = line[0].row.task
        above = [number for number in _losses(line) if number.side_of(IGNORANT[task]) > 0]
        if above and _trivial_output(line) is None:
            worse += above
            said.append(
                f"{line[0].place}: {as_printed(above)}, against {_levels(above, IGNORANT[task])} "
                f"for {TRIVIAL[task][IGNORANT[task]]}."
            )
    if said:
        yield _finding("no_better", worse, said, whose="these")


def order_of_floors(lines: Sequence[Line]) -> Iterator[Finding]:
    """Validation errors below training errors by about as much as their floors differ.

    About: what the floors leave of the difference is smaller than their own.
    """
    pairs = [pair for line in lines for pair in _train_and_other(line) if pair[0].floor > 0]
    apart = [(one.value - other.value, one.floor - other.floor) for one, other in pairs]
    explained = [gap > 0 and abs(gap - of_floors) < of_floors for gap, of_floors in apart]
    if not any(explained):
        return
    numbers = [*chain(*compress(pairs, explained))]
    gaps, floors = zip(*compress(apart, explained), strict=True)
    digits, left = numbers[0].column.digits, np.subtract(floors, gaps)
    said = [
        f"In {len(gaps)} of {count(len(pairs), 'line')} the validation error is lower, by "
        f"{span(gaps, digits)}; its floor is lower by {span(floors, digits)}.",
        f"Over their floors the two errors are at most {rounded(np.abs(left).max(), digits)} "
        f"apart, and in {(left > 0).sum()} of these lines the validation error is the higher.",
    ]
    yield _finding("order_of_floors", numbers, said)


def _train_and_other(line: Line) -> Iterator[tuple[Printed, Printed]]:
    """A line's errors on training and on other images that are averaged alike."""
    for train, other in combinations(_losses(line), 2):
        one, another = train.column.measures, other.column.measures
        alike = one.batch_mean == another.batch_mean and train.column.at == other.column.at
        if alike and one.series == "train" and another.series in ("val", "test"):
            yield train, other


# ---- against one another ------------------------------------------------------------------------


def _both(one: Line, other: Line) -> list[tuple[Printed, Printed]]:
    """The numbers that two lines have of the same metric and epoch."""
    known = {number.what: number for number in other}
    return [(number, known[number.what]) for number in one if number.what in known]


def repeated(lines: Sequence[Line]) -> Iterator[Finding]:
    """Lines of different rows that have all their common numbers the same."""
    for one, other in combinations(lines, 2):
        # Numbers of epochs are few and whole: that they repeat says nothing.
        both = [pair for pair in _both(one, other) if pair[0].column.unit != "epochs"]
        if one[0].row.id == other[0].row.id or len(both) < REPEATED_NUMBERS:
            continue
        if all(number.value == again.value for number, again in both):
            said = (
                f"{one[0].place}, and {other[0].place}: "
                f"{as_printed(number for number, _ in both)} in both. "
                f"The rows differ in {_differences(one[0].row, other[0].row)}."
            )
            yield _finding("repeated", chain(*both), [said])


def _differences(one: Row, other: Row) -> str:
    keys = distinct([*one.settings, *other.settings])
    return listed(
        [
            f"{setting_label(key)} ({setting(one, key)} and {setting(other, key)})"
            for key in keys
            if one.settings.get(key) != other.settings.get(key)
        ]
    )


def two_results(lines: Sequence[Line]) -> Iterator[Finding]:
    """One row that two lines print with different numbers."""
    for one, other in combinations(lines, 2):
        different = [pair for pair in _both(one, other) if not _alike(*pair)]
        if one[0].row.id == other[0].row.id and different:
            said = [_how_close(*pair, lines) for pair in different]
            yield _finding("two_results", chain(*different), said)


def _alike(one: Printed, other: Printed) -> bool:
    """Whether both can be one number, rounded to different digits."""
    coarser = max(one.half_unit, other.half_unit)
    rounding = coarser if one.half_unit != other.half_unit else 0
    return abs(one.value - other.value) <= rounding + 1e-9


def _how_close(one: Printed, other: Printed, lines: Sequence[Line]) -> str:
    """How far two numbers are apart, and in how many pairs of lines of their tables two are so."""
    apart = abs(one.value - other.value)
    alike = [number for number in chain(*lines) if number.what == one.what]
    between = [
        abs(first.value - second.value)
        for table in distinct([one.table.id, other.table.id])
        for first, second in combinations([n for n in alike if n.table.id == table], 2)
    ]
    smaller = sum(difference <= apart + 1e-9 for difference in between)
    return (
        f"{one.column.label}: {one.like(one.value)} ({one.place}) and {other.like(other.value)} "
        f"({other.place}), {one.like(apart)} apart. "
        f"{smaller or 'None'} of the {count(len(between), 'pair')} of lines that these tables "
        f"compare {'are' if smaller > 1 else 'is'} as close."
    )


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
    if len(needed) > 1:
        said.append(f"No one patience fits these rows: they need {listed(sorted(needed))}.")
    if said:
        yield _finding("patience", ruled_out, said)


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
