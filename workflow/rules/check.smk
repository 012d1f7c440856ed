# The reproducibility check: this run against the reference that is kept in git, and one row trained
# twice, bit by bit. Called by its name alone.

TWICE = ROWS[0]
FIRST = f"{RESULTS}/{TWICE.paper}/{TWICE.id}/seed-{SEEDS[0]}"


def comparable(wildcards):
    """Nothing to make; a reference that is not there, or of other seeds, is said before training."""
    from refashion.results.reference import load_environments

    try:
        load_environments(Path(REFERENCE), CONFIG)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return []


rule check:
    input:
        comparable,
        # It comes after all runs, summaries and evidence.
        runs=runs(ROWS, "metrics.json"),
        card=f"{RESULTS}/scorecard.json",
        repeated=expand(
            f"{FIRST}{{again}}/{{file}}.safetensors",
            again=["", AGAIN],
            file=["model", "outputs"],
        ),
    localrule: True
    resources:
        mem_mb=500,
        runtime=10,
    params:
        # Neither is an input: what is missing there must not be made from what it judges. check.json
        # and check.md are no outputs: those of a job that fails are removed, and then they are read.
        reference=REFERENCE,
        results=RESULTS,
        papers=[paper.file for paper in PAPERS],
        twice=f"{TWICE.name}, seed {SEEDS[0]}",
        first=FIRST,
        again=FIRST + AGAIN,
    shell:
        "{REFASHION} check --papers {params.papers} --config {CONFIGURATION:q}"
        " --results {params.results} --reference {params.reference} --repeated {params.twice:q} {params.first} {params.again}"
