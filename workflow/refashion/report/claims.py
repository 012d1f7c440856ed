"""Claims and their verdicts as the report shows them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from refashion.judging.claims import ClaimVerdict
from refashion.text import NONE, count, rounded, sentence, tally

if TYPE_CHECKING:
    from refashion.judging.claims import ClaimResult, PartResult
    from refashion.paper.claims import Claim
    from refashion.paper.claims.measures import Unit

# By the unit of an effect: what it is multiplied by to be shown, and what is written behind it.
UNITS: dict[Unit, tuple[int, str]] = {
    "loss": (1, ""),
    "share": (100, " points"),
    "relative": (100, " %"),
    "epochs": (1, " epochs"),
    "output": (1, ""),
}


def present(claim: Claim, result: ClaimResult) -> dict[str, Any]:
    """A claim as the report shows it, every number a string."""
    parts, needs = result.parts, result.needs
    return {
        "id": claim.id,
        "place": claim.place,
        "text": sentence(claim.text),
        "verdict": result.verdict.value,
        "sign": result.verdict.sign,
        "seeds": _seeds(result),
        "note": result.note,
        "why": sentence(claim.why or ""),
        "needs": f"{needs} of these {len(parts)} are needed:" if needs < len(parts) else "",
        "parts": [
            {
                "tested": part.tested,
                "effect": _effect(part),
                "verdict": part.verdict.value,
                "sign": part.verdict.sign,
            }
            for part in parts
        ],
    }


def count_verdicts(results: Sequence[ClaimResult]) -> str:
    """``Of 23 claims: 12 hold, 3 do not hold and 8 are undecided.``, or nothing."""
    counted: dict[str, str] = {verdict: verdict.counted for verdict in ClaimVerdict}
    return tally([result.verdict for result in results], "claim", counted)


def _seeds(result: ClaimResult) -> str:
    """``2 of 3 seeds for it``, or nothing where none could be tested."""
    if not result.seeds:
        return ""
    return f"{len(result.holds_in)} of {count(len(result.seeds), 'seed')} for it"


def _effect(part: PartResult) -> str:
    """``+0.0123 [+0.0100, +0.0146]``: the deciding effect's mean and interval, and its name."""
    if part.mean is None:
        return NONE
    factor, unit = UNITS[part.unit]
    numbers = [factor * value for value in (part.mean, *(part.interval or ()))]
    largest = max(map(abs, numbers))
    # Three digits of the largest number, and of all of them the same decimals.
    decimals = max(2 - math.floor(math.log10(largest)), 0) if largest else 0
    if min(numbers) * max(numbers) > 0:  # what decides is not printed as 0
        decimals = max(decimals, -math.floor(math.log10(min(map(abs, numbers)))))
    decimals = min(decimals, 9)
    mean, *ends = (rounded(number, decimals, sign=True) for number in numbers)
    interval = f" [{', '.join(ends)}]" if ends else ""
    of = f" ({part.decides})" if len(part.effects) > 1 else ""
    return f"{mean}{interval}{unit}{of}"
