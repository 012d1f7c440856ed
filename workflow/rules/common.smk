# What all rules share: where things lie, what a whole paper leaves there, and which files of the
# library decide what a verb of it makes.

import shlex
from functools import cache
from os.path import relpath

from refashion.imports import closure

SCALE, SEEDS = CONFIG.scale, list(CONFIG.seeds)
EPOCHS = CONFIG.chosen.epochs  # in place of each row's own, if given
RESULTS = f"results/{SCALE}"
LOGS = f"{RESULTS}/logs"
REFERENCE = f"results/reference/{SCALE}"
# Behind a seed: the same training once more, for `check` to compare.
AGAIN = "-again"
FORMATS = ["html", "tex"] + (["pdf"] if shutil.which("latexmk") else [])

ROWS = [row for paper in PAPERS for row in paper.rows]
STUDY_ROWS = [row for paper in PAPERS for row in paper.study_rows]
# The report of all papers, and each paper's own, by the names of their files.
DOCUMENTS = {"report": PAPERS} | {paper.key: [paper] for paper in PAPERS}

# Jobs run in the interpreter that runs Snakemake, with the library of this very checkout.
REFASHION = f"{shlex.quote(sys.executable)} -m refashion"
# Verbs are given the configuration, or its margins, as JSON; a rule's parameters have what decides
# its output: of the margins the numbers, while the reasons are prose for the report.
CONFIGURATION, MARGINS = CONFIG.model_dump_json(), CONFIG.margins.model_dump_json()
CLOSE = {kind: margin.margin for kind, margin in CONFIG.margins}


@cache
def files_of(*modules):
    found = {file.resolve() for module in modules for file in closure(module)}
    return sorted(map(relpath, found))


def library(*modules):
    """An input function: the files of the library that these modules run, looked up for a job."""
    return lambda wildcards: files_of(*modules)


def runs(rows, *files):
    """What the rows' trainings leave, with every seed."""
    return [
        f"{RESULTS}/{row.paper}/{row.id}/seed-{seed}/{file}"
        for row in rows
        for seed in SEEDS
        for file in files
    ]


def summaries(rows):
    return [f"{RESULTS}/{row.paper}/{row.id}/summary.json" for row in rows]


def evidence(papers, *kinds):
    return [
        f"{RESULTS}/evidence/{paper.key}/{k}.json" for paper in papers for k in kinds
    ]
