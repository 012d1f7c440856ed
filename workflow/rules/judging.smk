# Evidence, per paper: the levels that its images set, what its numbers and runs give away, and what
# its claims are worth; and the scorecard, the count of all of it.

import json

LEVELS_CODE = [
    "workflow/refashion/judging/levels.py",
    "workflow/refashion/paper/layers.py",
]
DIAGNOSIS_CODE = [
    f"workflow/refashion/{module}.py"
    for module in (
        "judging/diagnosis/findings",
        "judging/levels",
        "judging/diagnosis/published",
        "judging/diagnosis/runs",
        "judging/numbers",
        "judging/statistics",
        "results/summary",
        "text",
        "paper/settings",
        "paper/images",
    )
]
CLAIMS_CODE = [
    f"workflow/refashion/{module}.py"
    for module in (
        "paper/claims",
        "judging/claims/forms",
        "results/run",
        "judging/claims/verdicts",
        "paper/claim_words",
        "report/claims",
        "judging/levels",
        "judging/numbers",
        "judging/statistics",
        "results/summary",
        "text",
        "paper/settings",
        "paper/images",
    )
]


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
            code=LEVELS_CODE,
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
            specs={row.id: row.spec.as_json() for row in paper.rows + paper.study_rows},
            layers={row.id: repr(row.network) for row in paper.rows + paper.study_rows},
        shell:
            "python -m refashion levels --paper {params.paper} --dataset {input.dataset}"
            " --published-images {input.published} --out {output} > {log} 2>&1"

    rule:
        name:
            f"diagnose_{paper.key}"
        input:
            levels=f"{folder}/levels.json",
            runs=[
                f"{RESULTS}/{paper.key}/{row.id}/seed-{seed}/{file}"
                for row in paper.rows
                for seed in SEEDS
                for file in ("metrics.json", "outputs.safetensors")
            ],
            code=DIAGNOSIS_CODE,
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
            tables=plain(paper.tables),
            matrices=plain(paper.confusion_matrices),
            results=RESULTS,
            seeds=SEEDS,
        shell:
            "python -m refashion diagnose --paper {params.paper} --results {params.results}"
            " --seeds {params.seeds} --out {output} > {log} 2>&1"

    rule:
        name:
            f"claims_{paper.key}"
        input:
            levels=f"{folder}/levels.json",
            runs=[
                f"{RESULTS}/{paper.key}/{row.id}/seed-{seed}/{file}"
                for row in paper.rows
                for seed in SEEDS
                for file in ("metrics.json", "history.csv", "outputs.safetensors")
            ],
            code=CLAIMS_CODE,
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
            # Place, text and reason are prose for the report.
            tested=[
                claim.model_dump(
                    mode="json", include={"id", "test", "needs", "untestable"}
                )
                for claim in paper.claims
            ],
            results=RESULTS,
            seeds=SEEDS,
        shell:
            "python -m refashion claims --paper {params.paper} --results {params.results}"
            " --seeds {params.seeds} --out {output} > {log} 2>&1"


SCORECARD_CODE = [
    f"workflow/refashion/{module}.py"
    for module in (
        "judging/claims/verdicts",
        "judging/diagnosis/findings",
        "judging/numbers",
        "judging/statistics",
        "results/summary",
        "report/figures/__init__",
        "report/figures/scorecard",
        "report/figures/shared",
        "judging/scorecard",
        "text",
        "paper/settings",
        "paper/images",
    )
]


rule scorecard:
    input:
        summaries=[f"{RESULTS}/{row.paper}/{row.id}/summary.json" for row in ROWS],
        evidence=[
            f"{RESULTS}/evidence/{paper.key}/{file}.json"
            for paper in PAPERS
            for file in ("findings", "claims")
        ],
        code=SCORECARD_CODE,
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
        config=CONFIG.model_dump_json(),
        results=RESULTS,
        published=[plain(paper.tables + paper.confusion_matrices) for paper in PAPERS],
    shell:
        "python -m refashion scorecard --config {params.config:q} --results {params.results}"
        " --out {output.card} --out-badge {output.badge} --out-svg {output.svg}"
        " --out-pdf {output.pdf} > {log} 2>&1"
