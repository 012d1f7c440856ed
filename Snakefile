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
os.environ["PYTHONPATH"] = os.pathsep.join(
    [LIBRARY, *filter(None, [os.environ.get("PYTHONPATH")])]
)

from refashion.errors import UserError
from refashion.paper import across, papers
from refashion.paper import studies as readings
from refashion.paper.config import validate_config


configfile: "config.yaml"


try:
    CONFIG = validate_config(config)
    PAPERS = papers.load_papers(CONFIG, Path(workflow.basedir))
    STATEMENTS = across.load(Path(workflow.basedir), PAPERS)
except UserError as error:
    raise WorkflowError(str(error)) from None


include: "workflow/rules/common.smk"


wildcard_constraints:
    seed=r"\d+",
    again=f"({AGAIN})?",


rule all:
    default_target: True
    input:
        # What is made of a run can outlive it: one that was begun anew, and failed. So here and at
        # every target that speaks of runs these are inputs themselves.
        runs(ROWS, "metrics.json"),
        expand(f"{RESULTS}/report.{{format}}", format=FORMATS),
        f"{RESULTS}/scorecard.json",


include: "workflow/rules/dataset.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/judging.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/check.smk"
