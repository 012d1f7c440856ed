# Judging, per paper: the levels that its images set, what its numbers and runs give away, and what
# its claims are worth; and the scorecard, the count of all of it.


for paper in PAPERS:
    folder = f"{RESULTS}/evidence/{paper.key}"

    rule:
        name:
            f"levels_{paper.key}"
        input:
            # The file of checksums stands for the images: it is compared by content.
            dataset=ancient(f"results/dataset/{SCALE}.safetensors"),
            checksum=f"results/dataset/{SCALE}.sha256",
            # Published numbers are of all images, however few are trained on.
            published=ancient("results/dataset/paper.safetensors"),
            published_checksum="results/dataset/paper.sha256",
            code=library("judging.levels", "training.dataset", "paper.layers"),
        output:
            f"{folder}/levels.json",
        log:
            f"{LOGS}/levels/{paper.key}.log",
        localrule: True
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            paper=paper.file,
            trained=paper.fingerprint("trained"),
        shell:
            "{REFASHION} levels --paper {params.paper} --dataset {input.dataset}"
            " --published-images {input.published} --out {output} > {log} 2>&1"

    rule:
        name:
            f"diagnose_{paper.key}"
        input:
            levels=f"{folder}/levels.json",
            runs=runs(paper.rows, "metrics.json", "outputs.safetensors"),
            code=library("judging.diagnosis.runs"),
        output:
            f"{folder}/findings.json",
        log:
            f"{LOGS}/diagnose/{paper.key}.log",
        localrule: True
        resources:
            mem_mb=500,
            runtime=10,
        params:
            paper=paper.file,
            published=paper.fingerprint("names", "tables", "confusion_matrices"),
            results=RESULTS,
            seeds=SEEDS,
        shell:
            "{REFASHION} diagnose --paper {params.paper} --results {params.results}"
            " --seeds {params.seeds} --out {output} > {log} 2>&1"

    rule:
        name:
            f"claims_{paper.key}"
        input:
            levels=f"{folder}/levels.json",
            runs=runs(paper.rows, "metrics.json", "history.csv", "outputs.safetensors"),
            code=library("judging.claims", "judging.levels"),
        output:
            f"{folder}/claims.json",
        log:
            f"{LOGS}/claims/{paper.key}.log",
        localrule: True
        resources:
            mem_mb=500,
            runtime=10,
        params:
            paper=paper.file,
            tested=paper.fingerprint("names", "tested"),
            results=RESULTS,
            seeds=SEEDS,
        shell:
            "{REFASHION} claims --paper {params.paper} --results {params.results}"
            " --seeds {params.seeds} --out {output} > {log} 2>&1"


rule scorecard:
    input:
        runs=runs(ROWS, "metrics.json"),
        summaries=summaries(ROWS),
        evidence=evidence(PAPERS, "findings", "claims"),
        code=library("judging.scorecard", "report.figures.verdicts", "report.scorecard"),
    output:
        card=f"{RESULTS}/scorecard.json",
        badge=f"{RESULTS}/scorecard.svg",
        svg=f"{RESULTS}/figures/scorecard.svg",
        pdf=f"{RESULTS}/figures/scorecard.pdf",
    log:
        f"{LOGS}/scorecard.log",
    localrule: True
    resources:
        mem_mb=500,
        runtime=10,
    params:
        papers=[paper.file for paper in PAPERS],
        published=[
            paper.fingerprint("names", "tables", "confusion_matrices")
            for paper in PAPERS
        ],
        results=RESULTS,
        scale=SCALE,
        seeds=SEEDS,
        margins=CLOSE,
    shell:
        "{REFASHION} scorecard --papers {params.papers} --results {params.results}"
        " --scale {params.scale} --seeds {params.seeds} --margins {MARGINS:q}"
        " --out {output.card} --out-badge {output.badge} --out-svg {output.svg}"
        " --out-pdf {output.pdf} > {log} 2>&1"
