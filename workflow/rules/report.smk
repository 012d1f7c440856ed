# The report: every number of every paper, as one HTML page, as LaTeX and, with latexmk, as PDF.

import json

SUMMARIES = [f"{RESULTS}/{row.paper}/{row.id}/summary.json" for row in ROWS]
DRAWN = [
    f"{RESULTS}/figures/{paper.key}/{figure['id']}"
    for paper in PAPERS
    for figure in paper.figures
]
TEMPLATES = ["report.html.j2", "report.tex.j2", "style.css.j2"]


rule report:
    input:
        summaries=SUMMARIES,
        figures=[f"{figure}.svg" for figure in DRAWN],
        papers=[paper.file for paper in PAPERS],
        templates=[f"report/templates/{template}" for template in TEMPLATES],
        code=[f"workflow/refashion/{module}.py" for module in ("evidence", "reporting")],
    output:
        html=f"{RESULTS}/report.html",
        tex=f"{RESULTS}/report.tex",
    log:
        f"{LOGS}/report.log",
    localrule: True
    resources:
        mem_mb=500,
        runtime=10,
    params:
        config=json.dumps(config),
        results=RESULTS,
    shell:
        "python -m refashion report --config {params.config:q} --results {params.results}"
        " --templates report/templates --out-html {output.html} --out-tex {output.tex}"
        " > {log} 2>&1"


rule pdf:
    input:
        tex=f"{RESULTS}/report.tex",
        figures=[f"{figure}.pdf" for figure in DRAWN],
    output:
        f"{RESULTS}/report.pdf",
    log:
        f"{LOGS}/pdf.log",
    localrule: True
    resources:
        mem_mb=500,
        runtime=10,
    params:
        folder=RESULTS,
    shell:
        "latexmk -cd -pdf -interaction=nonstopmode -halt-on-error {input.tex} > {log} 2>&1"
        " && latexmk -cd -c {input.tex} >> {log} 2>&1"


rule reference:
    input:
        SUMMARIES,
    output:
        table=f"results/reference/{SCALE}.csv",
        environment=f"results/reference/{SCALE}.json",
    log:
        f"{LOGS}/reference.log",
    localrule: True
    resources:
        mem_mb=500,
        runtime=10,
    params:
        config=json.dumps(config),
        results=RESULTS,
    shell:
        "python -m refashion reference --config {params.config:q} --results {params.results}"
        " --out {output.table} > {log} 2>&1"
