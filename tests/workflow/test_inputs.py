"""What every rule of the workflow runs again for: the files of the library that it runs, no others.

And that what was begun anew and failed is not forgotten. On the example paper, all of whose rules
have run: each log has a line for each module that the job imported.
"""

import re

import pytest
from checkout import EXAMPLE
from refashion.imports import PACKAGE, closure

LIBRARY = "workflow/refashion/"
TARGETS = ("all", "studies", "reference")
# A verb reads the paper before it hands it on, and what is read is in the rule's parameters.
READERS = {"__main__.py"} | {
    file.relative_to(PACKAGE).as_posix()
    for reader in ("paper.papers", "paper.across", "errors")
    for file in closure(reader)
}


@pytest.fixture(scope="module")
def jobs(studied):
    """Every job that runs the library, with the names of files for its keys."""
    found = []
    for job in studied.jobs("--forceall", "--", *TARGETS):
        named = {key: job.get(key, "").split(", ") for key in ("input", "output", "log")}
        library = {file.removeprefix(LIBRARY) for file in named["input"] if LIBRARY in file}
        if library:
            found.append({"rule": job["rule"], "library": library} | named)
    return found


def _imported(log: str) -> set[str]:
    """The files of the library's modules that a job's log names."""
    modules = re.findall(r"^import time:.*\| +refashion\.?(\S*)$", log, flags=re.MULTILINE)
    paths = [PACKAGE.joinpath(*module.split(".")) for module in modules]
    return {
        (path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
        .relative_to(PACKAGE)
        .as_posix()
        for path in paths
    }


def test_what_a_job_imports_is_an_input_of_its_rule_and_little_else(studied, jobs):
    rules = {job["rule"] for job in jobs}
    assert {"fetch_dataset", "scorecard", f"keep_{EXAMPLE}", "report_studies"} <= rules
    for job in jobs:
        ran = _imported(studied.path(*job["log"]).read_text(encoding="utf-8")) - READERS
        assert ran, job["rule"]
        assert ran <= job["library"], job["rule"]
        modules = [file.removesuffix(".py").removesuffix("/__init__") for file in ran]
        needed = {
            file.relative_to(PACKAGE).as_posix()
            for module in modules
            for file in closure(module.replace("/", "."))
        }
        assert job["library"] <= needed | READERS, job["rule"]


def test_an_edit_of_an_input_runs_its_rule_again_and_of_another_file_does_not(
    copy_of_studied, jobs
):
    """All are edited, and rules looked at alone, so that none is planned for another's sake."""
    for file in copy_of_studied.path(LIBRARY).rglob("*.py"):
        file.write_text(file.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    waiting = list(jobs)
    while waiting:
        made = {file for job in waiting for file in job["output"]}
        apart = [job for job in waiting if not made & set(job["input"])]
        waiting = [job for job in waiting if job not in apart]
        rules, outputs = [job["rule"] for job in apart], [job["output"][0] for job in apart]
        planned = copy_of_studied.jobs("--allowed-rules", *rules, "--", *outputs)
        assert {job["rule"] for job in planned} == set(rules)
        for job in planned:
            changed = job["reason"].removeprefix("Updated input files: ").split(", ")
            expected = next(known["library"] for known in apart if known["rule"] == job["rule"])
            assert {file.removeprefix(LIBRARY) for file in changed} == expected, job["rule"]


def test_a_training_begun_anew_that_failed_is_not_forgotten(copy_of_studied, monkeypatch):
    row = "{id: scratch, "
    copy_of_studied.edit(
        f"workflow/papers/{EXAMPLE}.yaml",
        lambda text: text.replace(row, row + "learning_rate: 0.002, "),
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # so that a training on a GPU fails
    failing = ("--cores", "2", "--resources", "gpu=1")
    assert "finds none here" in copy_of_studied.snakemake(*failing, fails=True)
    row = f"{EXAMPLE}_scratch"
    for target in (None, EXAMPLE, row, f"{EXAMPLE}_whole", f"reference_{EXAMPLE}"):
        assert f"train_{row}" in copy_of_studied.planned(*filter(None, [target])), target
    assert "finds none here" in copy_of_studied.snakemake(*failing, fails=True)
