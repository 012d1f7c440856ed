# The report, of all papers and of each alone: as one HTML page, as LaTeX and, with latexmk, as PDF.
# And the reference: what is kept in git of all that was measured.

import json

TEMPLATES = [
    "page.html.j2",
    "page.tex.j2",
    "report.html.j2",
    "report.tex.j2",
    "style.css.j2",
]
REPORT_CODE = [
    "paper/across",
    "judging/claims/verdicts",
    "paper/claim_words",
    "report/claims",
    "judging/diagnosis/findings",
    "judging/levels",
    "judging/diagnosis/runs",
    "judging/numbers",
    "judging/statistics",
    "results/summary",
    "report/latex",
    "results/provenance",
    "report/page",
    "judging/scorecard",
    "report/tables",
    "text",
    "paper/settings",
    "paper/images",
]


for document, covered in DOCUMENTS.items():
    rows = [row for paper in covered for row in paper.rows]
    drawn = [
        f"{RESULTS}/figures/{paper.key}/{figure.id}"
        for paper in covered
        for figure in paper.figures
    ]
    suffix = "" if document == "report" else f"_{document}"
    drawn += [
        f"{RESULTS}/figures/{paper.key}-verdicts"
        for paper in covered
        if paper.prints_numbers
    ]
    if document == "report":
        drawn.append(f"{RESULTS}/figures/scorecard")

    rule:
        name:
            f"report{suffix}"
        input:
            summaries=[f"{RESULTS}/{row.paper}/{row.id}/summary.json" for row in rows],
            diagnoses=[
                f"{RESULTS}/evidence/{paper.key}/{file}.json"
                for paper in covered
                for file in ("levels", "findings", "claims")
            ],
            figures=[f"{figure}.svg" for figure in drawn],
            papers=[paper.file for paper in covered],
            across=["workflow/across.yaml"] if len(covered) > 1 else [],
            templates=[f"report/templates/{template}" for template in TEMPLATES],
            code=[f"workflow/refashion/{module}.py" for module in REPORT_CODE],
        output:
            html=f"{RESULTS}/{document}.html",
            tex=f"{RESULTS}/{document}.tex",
        log:
            f"{LOGS}/report/{document}.log",
        localrule: True
        resources:
            mem_mb=500,
            runtime=10,
        params:
            config=config_of([paper.key for paper in covered]),
            results=RESULTS,
        shell:
            "python -m refashion report --config {params.config:q} --results {params.results}"
            " --templates report/templates --out-html {output.html} --out-tex {output.tex}"
            " > {log} 2>&1"

    rule:
        name:
            f"pdf{suffix}"
        input:
            tex=f"{RESULTS}/{document}.tex",
            figures=[f"{figure}.pdf" for figure in drawn],
        output:
            f"{RESULTS}/{document}.pdf",
        log:
            f"{LOGS}/pdf/{document}.log",
        localrule: True
        resources:
            mem_mb=500,
            runtime=10,
        shell:
            "latexmk -cd -pdf -interaction=nonstopmode -halt-on-error {input.tex} > {log} 2>&1"
            " && latexmk -cd -c {input.tex} >> {log} 2>&1"


for paper in PAPERS:

    rule:
        name:
            paper.key
        input:
            expand(f"{RESULTS}/{paper.key}.{{format}}", format=FORMATS),

    rule:
        name:
            f"reference_{paper.key}"
        input:
            summaries=[
                f"{RESULTS}/{paper.key}/{row.id}/summary.json" for row in paper.rows
            ],
            runs=[
                f"{RESULTS}/{paper.key}/{row.id}/seed-{seed}/{file}"
                for row in paper.rows
                for seed in SEEDS
                for file in ("metrics.json", "history.csv")
            ],
            evidence=[
                f"{RESULTS}/evidence/{paper.key}/{file}.json"
                for file in ("findings", "claims")
            ],
            code=SCORECARD_CODE,
        output:
            table=f"{REFERENCE}/{paper.key}.csv",
            environment=f"{REFERENCE}/{paper.key}.json",
            runs=directory(f"{REFERENCE}/{paper.key}"),
        log:
            f"{LOGS}/reference/{paper.key}.log",
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
            "python -m refashion reference --paper {params.paper} --config {params.config:q}"
            " --results {params.results} --out {output.table} > {log} 2>&1"


rule reference:
    input:
        [f"{REFERENCE}/{paper.key}.csv" for paper in PAPERS],
