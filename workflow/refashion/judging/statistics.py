"""What verdicts are made of: intervals of Student's t, and words with a sign."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Self

import numpy as np
from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]

from refashion.text import count, listed


def prediction_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Where one new run lies with 95 % probability, by Student's t; None for fewer than two.

    It takes the runs for draws from one normal distribution: mean ± t · sd · √(1 + 1/n), with n - 1
    degrees of freedom.
    """
    return _students_interval(values, new=1)


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % confidence interval of a mean, mean ± t · sd / √n; None for fewer than two."""
    return _students_interval(values, new=0)


def _students_interval(values: Sequence[float], new: int) -> tuple[float, float] | None:
    """mean ± t · sd · √(new + 1/n)"""
    if len(values) < 2:
        return None
    quantile = stdtrit(len(values) - 1, 0.975)
    half = float(quantile * np.std(values, ddof=1) * np.sqrt(new + 1 / len(values)))
    return float(np.mean(values)) - half, float(np.mean(values)) + half


class Verdict(StrEnum):
    """What is said of something.

    ``sign`` stands beside the word, so that a verdict is seen at a glance by everybody: no colour
    alone tells verdicts apart. ``counted`` is what so many of them are or, with a slash between,
    what one does and several do.
    """

    sign: str
    counted: str

    def __new__(cls, word: str, sign: str, counted: str) -> Self:
        verdict = str.__new__(cls, word)
        verdict._value_ = word
        verdict.sign, verdict.counted = sign, counted
        return verdict

    @classmethod
    def tally(cls, verdicts: Sequence[str], noun: str) -> str:
        """``Of 23 claims: 12 hold, 3 do not hold and 8 are undecided.``, or nothing."""
        if not verdicts:
            return ""
        counts = [
            f"{number} {verdict.counted.split('/')[-1 if number > 1 else 0]}"
            for verdict in cls
            if (number := verdicts.count(verdict))
        ]
        return f"Of {count(len(verdicts), noun)}: {listed(counts)}."
