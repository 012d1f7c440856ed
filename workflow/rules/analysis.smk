# Figures: one rule per figure of a paper, from the trainings of the rows that it shows.

ANALYSIS_CODE = "workflow/refashion/figures.py"


for paper in PAPERS:
    for figure in paper.figures:
        rows = [paper.row(row) for row in figure["rows"]]
        stem = f"{RESULTS}/figures/{paper.key}/{figure['id']}"

        rule:
            name:
                f"draw_{paper.key}_{figure['id'].replace('-', '_')}"
            input:
                runs=[
                    f"{RESULTS}/{paper.key}/{row.id}/seed-{seed}/{file}"
                    for row in rows
                    for seed in SEEDS
                    for file in ("metrics.json", "history.csv")
                ],
                code=ANALYSIS_CODE,
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
                kind=figure["kind"],
                metric=figure.get("metric"),
                rows=figure["rows"],
                results=RESULTS,
                scale=SCALE,
                seeds=SEEDS,
            shell:
                "python -m refashion figure --paper {params.paper} --figure {params.figure}"
                " --results {params.results} --scale {params.scale} --seeds {params.seeds}"
                " --out-svg {output.svg} --out-pdf {output.pdf} > {log} 2>&1"
