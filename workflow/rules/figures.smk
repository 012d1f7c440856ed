# Figures: one rule per figure of a paper, from the trainings of the rows that it shows; and one
# for its published numbers.

# What of a figure's entry is prose for the report; the rest is drawn.
PROSE = {"label", "caption", "shows"}


for paper in PAPERS:
    for figure in paper.figures:
        rows = [paper.row(row) for row in figure.rows]
        published = [
            matrix.model_dump(mode="json")
            for matrix in paper.confusion_matrices
            if figure.kind == "confusion_difference" and paper.row(matrix.row) in rows
        ]
        stem = f"{RESULTS}/figures/{paper.key}/{figure.id}"

        rule:
            name:
                f"draw_{paper.key}_{figure.id.replace('-', '_')}"
            input:
                runs=runs(rows, "metrics.json", "history.csv", "outputs.safetensors"),
                code=library("report.figures.kinds"),
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
                published=published,
                results=RESULTS,
                scale=SCALE,
                seeds=SEEDS,
            shell:
                "{REFASHION} figure --paper {params.paper} --figure {params.figure}"
                " --results {params.results} --scale {params.scale} --seeds {params.seeds}"
                " --out-svg {output.svg} --out-pdf {output.pdf} > {log} 2>&1"

    if paper.prints_numbers:
        stem = f"{RESULTS}/figures/{paper.key}-verdicts"

        rule:
            name:
                f"draw_verdicts_{paper.key}"
            input:
                runs=runs(paper.rows, "metrics.json"),
                summaries=summaries(paper.rows),
                code=library("judging.numbers", "report.figures.verdicts"),
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
                published=paper.fingerprint("names", "tables", "confusion_matrices"),
                results=RESULTS,
                scale=SCALE,
                margins=CLOSE,
            shell:
                "{REFASHION} draw-verdicts --paper {params.paper} --results {params.results}"
                " --scale {params.scale} --margins {MARGINS:q}"
                " --out-svg {output.svg} --out-pdf {output.pdf} > {log} 2>&1"
