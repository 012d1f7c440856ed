"""Claims and their verdicts as the report shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from refashion.text import NONE, count, rounded, sentence, tally

if TYPE_CHECKING:
    from refashion.paper.claims import Claim

# A sign beside the word, and no colour, so that a verdict is seen at a glance by everybody.
SIGNS = {"holds": "✓", "does not hold": "×", "undecided": "?", "not tested": NONE}

# By the unit of an effect: what it is multiplied by to be shown, and what is written behind it.
UNITS = {
    "loss": (1, ""),
    "share": (100, " points"),
    "relative": (100, " %"),
    "epochs": (1, " epochs"),
    "output": (1, ""),
}


def present(claim: Claim, result: Mapping[str, Any]) -> dict[str, Any]:
    """A claim as the report shows it, every number a string.

    Args:
        claim: as in the paper's YAML.
        result: what :func:`refashion.judging.claims.verdicts.evaluate_claim` found.
    """
    parts = result["parts"]
    needs = result["needs"]
    return {
        "id": claim.id,
        "place": claim.place,
        "text": sentence(claim.text),
        "verdict": result["verdict"],
        "sign": SIGNS[result["verdict"]],
        "seeds": _seeds(result),
        "note": result["note"],
        "why": sentence(claim.why or ""),
        "needs": f"{needs} of these {len(parts)} are needed:" if needs < len(parts) else "",
        "parts": [
            {
                "tested": part["tested"],
                "effect": _effect(part),
                "verdict": part["verdict"],
                "sign": SIGNS[part["verdict"]],
            }
            for part in parts
        ],
    }


def count_verdicts(results: Sequence[Mapping[str, Any]]) -> str:
    """``Of 23 claims: 12 hold, 3 do not hold and 8 are undecided.``, or nothing."""
    words = {
        "holds": "holds/hold",
        "does not hold": "does not hold/do not hold",
        "undecided": "is undecided/are undecided",
        "not tested": "is not tested/are not tested",
    }
    return tally([result["verdict"] for result in results], "claim", words)


def _seeds(result: Mapping[str, Any]) -> str:
    """``2 of 3 seeds for it``, or nothing where none could be tested."""
    tested = result["seeds"]
    return f"{len(result['holds_in'])} of {count(len(tested), 'seed')} for it" if tested else ""


def _effect(part: Mapping[str, Any]) -> str:
    """``+0.0123 [+0.0100, +0.0146]``: the deciding effect's mean and interval, and its name."""
    if part["mean"] is None:
        return NONE
    factor, unit = UNITS[part["unit"]]
    numbers = [factor * value for value in (part["mean"], *(part["interval"] or ()))]
    largest = max(map(abs, numbers))
    # Three digits of the largest number, and of all of them the same decimals.
    decimals = max(2 - math.floor(math.log10(largest)), 0) if largest else 0
    if min(numbers) * max(numbers) > 0:  # what decides is not printed as 0
        decimals = max(decimals, -math.floor(math.log10(min(map(abs, numbers)))))
    decimals = min(decimals, 9)
    mean, *ends = (rounded(number, decimals, sign=True) for number in numbers)
    interval = f" [{', '.join(ends)}]" if ends else ""
    of = f" ({part['decides']})" if len(part["effects"]) > 1 else ""
    return f"{mean}{interval}{unit}{of}"
