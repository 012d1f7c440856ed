# Figures: one rule per figure of a paper, from the trainings of the rows that it shows.

FIGURES_CODE = [
    f"workflow/refashion/figures/{module}.py"
    for module in ("__init__", "shared", "charts", "matrices", "images")
] + ["workflow/refashion/wording.py"]
# What of a figure's entry is prose for the report; the rest is drawn.
PROSE = ("label", "caption", "shows")


for paper in PAPERS:
    for figure in paper.figures:
        rows = [paper.row(row) for row in figure["rows"]]
        published = [
            matrix
            for matrix in paper.confusion_matrices
            if figure["kind"] == "confusion_difference"
            and paper.row(matrix["row"]) in rows
        ]
        stem = f"{RESULTS}/figures/{paper.key}/{figure['id']}"

        rule:
            name:
                f"draw_{paper.key}_{figure['id'].replace('-', '_')}"
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
                f"{LOGS}/draw/{paper.key}_{figure['id']}.log",
            localrule: True
            resources:
                mem_mb=500,
                runtime=10,
            params:
                paper=paper.file,
                figure=figure["id"],
                drawn={key: figure[key] for key in figure if key not in PROSE},
                published=published,
                results=RESULTS,
                scale=SCALE,
                seeds=SEEDS,
            shell:
                "python -m refashion figure --paper {params.paper} --figure {params.figure}"
                " --results {params.results} --scale {params.scale} --seeds {params.seeds}"
                " --out-svg {output.svg} --out-pdf {output.pdf} > {log} 2>&1"
