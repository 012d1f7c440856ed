"""refashion: from the raw images to a report that says which published numbers hold."""

import os
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.27")

LIBRARY = str(Path(workflow.basedir) / "workflow")
sys.path.insert(0, LIBRARY)

from refashion import TRAINING_MODULES
from refashion.paper import across, papers
from refashion.paper.config import validate_config
from refashion.errors import UserError
from refashion.paper import studies as readings

# Jobs run `python -m refashion`: with the interpreter and the library of this very checkout.
os.environ["PATH"] = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ["PATH"]]
)
os.environ["PYTHONPATH"] = LIBRARY


configfile: "config.yaml"


try:
    CONFIG = validate_config(config)
    PAPERS = papers.load_papers(CONFIG, Path(workflow.basedir))
    across.load(Path(workflow.basedir), PAPERS)
except UserError as error:
    raise WorkflowError(str(error)) from None

SCALE = CONFIG.scale
SEEDS = list(CONFIG.seeds)
ROWS = [row for paper in PAPERS for row in paper.rows]
STUDY_ROWS = [row for paper in PAPERS for row in paper.study_rows]
RESULTS = f"results/{SCALE}"
LOGS = f"{RESULTS}/logs"
REFERENCE = f"results/reference/{SCALE}"
# Behind a seed: the same training once more, for `check` to compare.
AGAIN = "-again"
FORMATS = ["html", "tex"] + (["pdf"] if shutil.which("latexmk") else [])
# The report of all papers, and each paper's own, by the names of their files.
DOCUMENTS = {"report": PAPERS} | {paper.key: [paper] for paper in PAPERS}


def config_of(keys):
    """The configuration of these papers alone, as the verbs take it."""
    return CONFIG.model_copy(update={"papers": tuple(keys)}).model_dump_json()


def plain(records):
    """Records as JSON, for the parameters of a rule."""
    return [record.model_dump(mode="json") for record in records]


wildcard_constraints:
    seed=r"\d+",
    again=f"({AGAIN})?",


rule all:
    default_target: True
    input:
        expand(f"{RESULTS}/report.{{format}}", format=FORMATS),
        f"{RESULTS}/scorecard.json",


include: "workflow/rules/dataset.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/evidence.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/check.smk"
