"""The benchmark at a small size: every way works and is measured, however fast."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_way_is_measured_for_every_case(whole, tmp_path):
    out = tmp_path / "bench.json"
    small = ("--seconds", "0.1", "--rounds", "1", "--no-workflow")
    done = subprocess.run(
        [sys.executable, ROOT / "tests/bench", "--dataset", whole, "--out", out, *small],
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'workflow'}{os.pathsep}{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(out.read_text())["training"]
    assert set(report) == {"architecture 2", "classifier", "fully connected"}
    for case, found in report.items():
        assert f"| {case} | " in done.stdout
        for way in ("notebook", "ours", "products"):
            assert all(number > 0 for number in found[way].values())
