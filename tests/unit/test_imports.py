"""Which files a module runs, on a package of a few lines, and on the library itself."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from refashion import imports

ROOT = Path(__file__).parents[2]
FILES = {
    "__init__.py": "",
    "alone.py": "import json\nfrom pathlib import Path\n",
    "straight.py": "import house.alone\n",
    "named.py": "from house import alone, straight as crooked\n",
    "lazy.py": "def build():\n    try:\n        pass\n    except OSError:\n"
    "        from house.alone import Path\n",
    "relative.py": "from .room import table\n",
    "typed.py": "import typing\nif typing.TYPE_CHECKING:\n    from house import alone\n"
    "else:\n    from house import lazy\n",
    "one.py": "from house import other\n",
    "other.py": "from house import one\n",
    "room/__init__.py": "from house.alone import Path\n",
    "room/table.py": "from . import chair\nfrom ..lazy import build\n",
    "room/chair.py": '"""import house.named"""\n',
}


@pytest.fixture
def house(tmp_path):
    """The module of interest in a package of another name."""
    for name, source in FILES.items():
        file = tmp_path / "house" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    copy = shutil.copy(imports.__file__, tmp_path / "house")
    spec = importlib.util.spec_from_file_location("house_imports", copy)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("alone", ["alone"]),
        ("straight", ["alone", "straight"]),
        ("named", ["alone", "named", "straight"]),
        ("lazy", ["alone", "lazy"]),
        ("typed", ["alone", "lazy", "typed"]),
        ("one", ["one", "other"]),
        ("room", ["alone", "room/__init__"]),
        ("room.chair", ["alone", "room/__init__", "room/chair"]),
        ("relative", ["alone", "lazy", "relative", "room/__init__", "room/chair", "room/table"]),
    ],
)
def test_closure_has_what_runs_and_nothing_else(house, module, expected):
    found = [file.relative_to(house.PACKAGE) for file in house.closure(module)]
    assert found == [Path(f"{name}.py") for name in ["__init__", *expected]]


@pytest.mark.parametrize("module", ["absent", "room.absent", "alone.json"])
def test_a_module_that_is_not_there_is_refused(house, module):
    with pytest.raises(ModuleNotFoundError, match=f"{module}: no module of .*house"):
        house.closure(module)


def test_what_trains_is_its_room_and_the_layers_and_no_reader_of_papers():
    """Else a word in an error about a paper's file, or another mirror, would retrain every row."""
    found = {
        file for module in ("loop", "dataset") for file in imports.closure(f"training.{module}")
    }
    room = set((imports.PACKAGE / "training").glob("*.py"))
    assert {file.name for file in room - found} == {"sources.py", "export.py"}
    used = {file.name for file in found if file.parent.name == "paper"}
    assert used == {"__init__.py", "layers.py"}


def test_an_import_from_a_room_above_fails_the_contract_by_its_name(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(imports.PACKAGE, tmp_path / "refashion")
    with (tmp_path / "refashion/judging/numbers.py").open("a", encoding="utf-8") as file:
        file.write("\n\nfrom refashion.report import page\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert "refashion.judging.numbers -> refashion.report.page" in done.stdout
