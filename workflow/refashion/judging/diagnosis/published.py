"""What published numbers give away: held against the images, and against one another.

Each function looks for one thing and yields the findings; none is yielded where nothing is wrong.
Numbers come as the lines of the paper's tables, in lists of :class:`Printed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from refashion.judging.diagnosis.findings import IGNORANT, TRIVIAL, Finding
from refashion.judging.levels import level_of, limits, protocol_of
from refashion.paper.images import CLASS_NAMES
from refashion.paper.settings import setting, setting_label
from refashion.results.summary import distinct
from refashion.text import capital, count, listed, rounded

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
    row: Any
    table: Mapping[str, Any]
    metric: Mapping[str, Any]
    value: float

    @property
    def what(self) -> tuple[str, str]:
        """The metric, and of which epoch."""
        return self.metric.metric, self.metric.at

    @property
    def text(self) -> str:
        return self.like(self.value)

    @property
    def half_unit(self) -> float:
        """How far rounding may have moved it."""
        return 0.5 * 10**-self.metric.digits

    def like(self, value: float) -> str:
        """A value with as many decimals as this number is printed with."""
        return rounded(value, self.metric.digits)


Line = Sequence[Printed]


def printed_lines(paper: Any) -> list[Line]:
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
        metrics=distinct(number.metric.label for number in numbers),
    )


def _losses(line: Line) -> list[Printed]:
    return [number for number in line if number.metric.unit == "loss"]


def _at(line: Line) -> str:
    return f"{line[0].table.label}, {line[0].name}"


def _as_printed(numbers: Iterable[Printed]) -> str:
    """``0.5925 (min. error, training) and 0.5913 (min. error, validation)``."""
    named = [(number.text, number.metric.label) for number in numbers]
    return listed([f"{text} ({label[0].lower()}{label[1:]})" for text, label in named])


def _from_to(numbers: Line, values: Sequence[float]) -> str:
    low, high = (numbers[0].like(end) for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


# ---- against the images -------------------------------------------------------------------------


def _level(levels: Mapping, number: Printed, name: str) -> dict[str, float]:
    return level_of(levels, number.row, number.metric.metric, name)


def _mean(levels: Mapping, number: Printed, name: str) -> float:
    return _level(levels, number, name)["mean"]


def _tolerance(levels: Mapping, number: Printed, name: str) -> float:
    """How far rounding and the order of the images can take a printed number from a level."""
    return number.half_unit + ORDER_SDS * _level(levels, number, name)["order_sd"]


def below_floor(lines: Sequence[Line], levels: Mapping) -> Iterator[Finding]:
    """Errors that no output in the network's range has on these images."""
    for line in lines:
        below = [
            number
            for number in _losses(line)
            if number.value < _mean(levels, number, "floor") - _tolerance(levels, number, "floor")
        ]
        if below:
            floors = listed([number.like(_mean(levels, number, "floor")) for number in below])
            yield _finding(
                "below_floor",
                below,
                [f"{_at(line)}: {_as_printed(below)}; the least that can be is {floors}."],
                "The number was not measured as the paper describes it: images, normalisation, "
                "loss or last activation were others.",
            )


def mostly_floor(lines: Sequence[Line], levels: Mapping) -> Iterator[Finding]:
    """Errors of which the network can only change the smaller part."""
    numbers = [n for line in lines for n in _losses(line) if _mean(levels, n, "floor") > 0]
    shares = [_mean(levels, number, "floor") / number.value for number in numbers]
    if not numbers or np.median(shares) <= MOSTLY:
        return
    said = []
    for what in distinct(number.what for number in numbers):
        alike = [number for number in numbers if number.what == what]
        errors = [number.value for number in alike]
        over = [number.value - _mean(levels, number, "floor") for number in alike]
        said.append(
            f"{alike[0].metric.label}: errors of {_from_to(alike, errors)} are an excess of "
            f"{_from_to(alike, over)} over a floor of "
            f"{_from_to(alike, [_mean(levels, number, 'floor') for number in alike])}."
        )
        if min(over) > 0:
            said[-1] += (
                f" The largest error is {max(errors) / min(errors):.2f} times the smallest, the "
                f"largest excess {max(over) / min(over):.0f} times."
            )
    protocol = protocol_of(levels, numbers[0].row)
    mean, std = (protocol["normalisation"][key] for key in ("mean", "std"))
    low, high = limits(protocol["output_range"])
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
    lines: Sequence[Line], levels: Mapping, collapsed: Mapping[str, tuple[int, int]]
) -> Iterator[Finding]:
    """Lines whose errors are all those of an output that does not depend on the image.

    ``collapsed`` has for each row that was run how many of how many runs collapsed.
    """
    for line in lines:
        name = _trivial_output(line, levels)
        if name is None:
            continue
        losses = _losses(line)
        said = f"{_at(line)}: {_as_printed(losses)}. {capital(TRIVIAL[line[0].row.task][name])} "
        said += f"has {listed([n.like(_mean(levels, n, name)) for n in losses])}"
        for number in losses:
            level = _level(levels, number, name)
            if level["order_sd"] > number.half_unit:
                said += (
                    f"; averaged over batches {number.like(level['batch_mean'])} in the data "
                    f"set’s order, {number.like(level['mean'])} ± {number.like(level['order_sd'])} "
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


def _trivial_output(line: Line, levels: Mapping) -> str | None:
    """The trivial output that has all errors of a line, if one has."""
    losses = _losses(line)
    for name in TRIVIAL[line[0].row.task] if losses else ():
        if all(
            abs(number.value - _mean(levels, number, name)) <= _tolerance(levels, number, name)
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


def no_better(lines: Sequence[Line], levels: Mapping) -> Iterator[Finding]:
    """Errors above that of the best output that does not depend on the image."""
    worse, said = [], []
    for line in lines:
        best = IGNORANT[line[0].row.task]
        above = [
            number
            for number in _losses(line)
            if number.value > _mean(levels, number, best) + _tolerance(levels, number, best)
        ]
        if above and _trivial_output(line, levels) is None:
            worse += above
            levels_there = listed([number.like(_mean(levels, number, best)) for number in above])
            said.append(
                f"{_at(line)}: {_as_printed(above)}, against {levels_there} for "
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


def order_of_floors(lines: Sequence[Line], levels: Mapping) -> Iterator[Finding]:
    """Validation errors below training errors by about as much as their floors differ.

    About: what the floors leave of the difference is smaller than their own.
    """
    gaps, floors, explained = [], [], []
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
        name, _, average = train.metric.metric.partition("_loss")
        other_name, _, other_average = other.metric.metric.partition("_loss")
        alike = average == other_average and train.metric.at == other.metric.at
        if alike and name == "train" and other_name in ("val", "test"):
            yield train, other


# ---- against one another ------------------------------------------------------------------------


def repeated(lines: Sequence[Line]) -> Iterator[Finding]:
    """Lines of different rows that have all their common numbers the same."""
    for one, other in combinations(lines, 2):
        # Numbers of epochs are few and whole: that they repeat says nothing.
        known = {n.what: n for n in other if n.metric.unit != "epochs"}
        both = [(number, known[number.what]) for number in one if number.what in known]
        if one[0].row.id == other[0].row.id or len(both) < REPEATED_NUMBERS:
            continue
        if all(number.value == again.value for number, again in both):
            yield _finding(
                "repeated",
                [number for pair in both for number in pair],
                [
                    f"{_at(one)}, and {_at(other)}: {_as_printed(n for n, _ in both)} in both. "
                    f"The rows differ in {_differences(one[0].row, other[0].row)}."
                ],
                "At least one of the two lines does not show the run that it stands for, and the "
                "paper does not tell which: what rests on either is open.",
            )


def _differences(one: Any, other: Any) -> str:
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
        said = []
        for number, again in different:
            apart = abs(number.value - again.value)
            between = _between_lines(lines, number, again)
            smaller = sum(difference <= apart + 1e-9 for difference in between)
            said.append(
                f"{number.metric.label}: {number.text} ({_at([number])}) and {again.text} "
                f"({_at([again])}), {number.like(apart)} apart. "
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
    ruled_out, said, needed = [], [], []
    for line in lines:
        row = line[0].row
        epochs = {n.metric.at: n for n in line if n.metric.unit == "epochs"}
        stop, best = epochs.get("final"), epochs.get("kept", epochs.get("lowest"))
        if not (stop and best and row.spec.early_stopping):
            continue
        waits, min_delta = (
            getattr(row.spec.early_stopping, key) for key in ("patience", "min_delta")
        )
        last, optimum, most = int(stop.value), int(best.value), row.spec.epochs
        age = last - optimum
        if age == waits or (age < waits and (last == most or min_delta)):
            continue
        ruled_out += [stop, best]
        needed.append(age)
        ended = f"ended by it at epoch {last} of {most} has its lowest error at {last - waits}"
        ran = f"that reaches epoch {last} has its lowest error no earlier than at {last - waits}"
        otherwise = (
            f"; with the lowest at {optimum} it would have ended at {optimum + waits}"
            if age > waits
            else ""
        )
        said.append(
            f"{_at(line)}: with patience {waits}, a training "
            f"{ended if last < most else ran} ({last} − {waits}){otherwise}. Epoch {optimum} is "
            f"called optimal, which needs patience {age} ({last} − {optimum})."
        )
    if not said:
        return
    if len(set(needed)) > 1:
        said.append(f"No one patience fits these rows: they need {listed(sorted(set(needed)))}.")
    yield _finding(
        "patience",
        ruled_out,
        said,
        "The weights that were measured are not those that the stopper would restore: the epoch "
        "was chosen in another way, or the stopper is not the one described.",
    )


# ---- confusion matrices -------------------------------------------------------------------------


def matrices(paper: Any, lines: Sequence[Line], levels: Mapping) -> Iterator[Finding]:
    """Sums of printed confusion matrices, accuracies in them, and classes never predicted."""
    found: dict[str, dict[str, str]] = {}
    for matrix in paper.confusion_matrices:
        name, counts = matrix.row, np.array(matrix.published)
        row, at = paper.row(name), f"{matrix.label}, {name}"
        # Which images are held out is drawn: of those the number in each class is not known.
        sums, images = counts.sum(1), levels["classes"]["test"]
        wrong = [
            f"{total:,} of {CLASS_NAMES[c]}, where there are {images[c]:,}"
            for c, total in enumerate(sums)
            if total != images[c] and not row.spec.split.validation
        ]
        if wrong:
            found.setdefault("matrix_sums", {})[name] = f"{at}: {listed(wrong)}."
        share = 100 * np.trace(counts) / counts.sum()
        printed = [
            number
            for line in lines
            for number in line
            if number.row.id == row.id and number.metric.metric.startswith("val_accuracy")
        ]
        if not printed or any(abs(n.value - share) > n.half_unit + 1e-9 for n in printed):
            said = f"{at}: {np.trace(counts):,} of {counts.sum():,} images are on the diagonal, "
            said += f"an accuracy of {share:.2f} %; "
            said += f"the tables print {_as_printed(printed)}" if printed else "no table prints it"
            if not wrong:
                said += f". Each row adds up to {listed(distinct(f'{n:,}' for n in sums))} images"
            found.setdefault("matrix_accuracy", {})[name] = f"{said}."
        never = [CLASS_NAMES[c] for c in np.flatnonzero(counts.sum(0) == 0)]
        if never:
            found.setdefault("never_predicted", {})[name] = f"{at}: {listed(never)}."
    for kind, consequence in (
        (
            "matrix_sums",
            "The matrix is not of the images that the paper names, or is misprinted: no share of "
            "its classes can be relied on.",
        ),
        (
            "matrix_accuracy",
            "The counts are the number to hold ours against, and what the text says of these "
            "classifiers can be checked with them.",
        ),
        (
            "never_predicted",
            "The classifier knows fewer classes than there are, which bounds its accuracy "
            "whatever else it does.",
        ),
    ):
        if kind in found:
            rows, said = list(found[kind]), list(found[kind].values())
            yield Finding(kind, rows, said, consequence, tables=[], metrics=[])
