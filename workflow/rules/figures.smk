# Figures: one rule per figure of a paper, from the trainings of the rows that it shows; and one
# for its published numbers.

import json

FIGURES_CODE = [
    f"workflow/refashion/report/figures/{module}.py"
    for module in ("__init__", "shared", "charts", "matrices", "images")
] + ["workflow/refashion/text.py"]
VERDICTS_CODE = [
    f"workflow/refashion/{module}.py"
    for module in (
        "judging/numbers",
        "judging/statistics",
        "results/summary",
        "report/figures/__init__",
        "report/figures/scorecard",
        "report/figures/shared",
        "report/figures/verdicts",
    )
]
# What of a figure's entry is prose for the report; the rest is drawn.
PROSE = {"label", "caption", "shows"}


for paper in PAPERS:
    for figure in paper.figures:
        rows = [paper.row(row) for row in figure.rows]
        published = [
            matrix
            for matrix in paper.confusion_matrices
            if figure.kind == "confusion_difference" and paper.row(matrix.row) in rows
        ]
        stem = f"{RESULTS}/figures/{paper.key}/{figure.id}"

        rule:
            name:
                f"draw_{paper.key}_{figure.id.replace('-', '_')}"
            input:
                runs=[
                    f"{RESULTS}/{paper.key}/{row.id}/seed-{seed}/{file}"
                    for row in rows
                    for seed in SEEDS
                    for file in ("metrics.json", "history.csv", "outputs.safetensors")
                ],
                code=FIGURES_CODE,
            output:
                svg=f"{stem}.svg",
                pdf=f"{stem}.pdf",
            log:
                f"{LOGS}/draw/{paper.key}_{figure.id}.log",
            localrule: True
            resources:
                mem_mb=500,
                runtime=10,
            params:
                paper=paper.file,
                figure=figure.id,
                drawn=figure.model_dump(mode="json", exclude=PROSE),
                published=plain(published),
                results=RESULTS,
                scale=SCALE,
                seeds=SEEDS,
            shell:
                "python -m refashion figure --paper {params.paper} --figure {params.figure}"
                " --results {params.results} --scale {params.scale} --seeds {params.seeds}"
                " --out-svg {output.svg} --out-pdf {output.pdf} > {log} 2>&1"

    if paper.prints_numbers:
        stem = f"{RESULTS}/figures/{paper.key}-verdicts"

        rule:
            name:
                f"draw_verdicts_{paper.key}"
            input:
                summaries=[
                    f"{RESULTS}/{paper.key}/{row.id}/summary.json"
                    for row in paper.rows
                ],
                code=VERDICTS_CODE,
            output:
                svg=f"{stem}.svg",
                pdf=f"{stem}.pdf",
            log:
                f"{LOGS}/draw/{paper.key}_verdicts.log",
            localrule: True
            resources:
                mem_mb=500,
                runtime=10,
            params:
                paper=paper.file,
                published=plain(paper.tables + paper.confusion_matrices),
                config=config_of([paper.key]),
                results=RESULTS,
            shell:
                "python -m refashion draw-verdicts --paper {params.paper}"
                " --config {params.config:q} --results {params.results}"
                " --out-svg {output.svg} --out-pdf {output.pdf} > {log} 2>&1"
