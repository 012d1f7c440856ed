# The report, of all papers and of each alone: as one HTML page, as LaTeX and, with latexmk, as PDF.
# And the reference: what is kept in git of all that was measured.

# What a page says of the configuration.
STATED = [SCALE, SEEDS, EPOCHS, repr(CONFIG.margins)]

# What all documents are laid out by; each has its words in a template of its own.
LAYOUT = sorted(str(file) for file in Path("report/templates").glob("*.*.j2"))


for document, covered in DOCUMENTS.items():
    rows = [row for paper in covered for row in paper.rows]
    suffix = "" if document == "report" else f"_{document}"
    drawn = [
        f"{paper.key}/{figure.id}" for paper in covered for figure in paper.figures
    ]
    drawn += [f"{paper.key}-verdicts" for paper in covered if paper.prints_numbers]
    # The first page of the report of several papers.
    card = [f"{RESULTS}/scorecard.json"] if len(covered) > 1 else []
    drawn += ["scorecard"] if card else []

    rule:
        name:
            f"report{suffix}"
        input:
            runs=runs(rows, "metrics.json"),
            summaries=summaries(rows),
            evidence=evidence(covered, "levels", "findings", "claims"),
            card=card,
            figures=[f"{RESULTS}/figures/{name}.svg" for name in drawn],
            templates=[*LAYOUT, "report/templates/report.j2"],
            code=library("report.page", "report.render", "results.provenance"),
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
            papers=[paper.file for paper in covered],
            contents=[paper.fingerprint() for paper in covered],
            across=STATEMENTS if len(covered) > 1 else [],
            stated=STATED,
            results=RESULTS,
        shell:
            "{REFASHION} report --papers {params.papers} --config {CONFIGURATION:q}"
            " --results {params.results} --templates report/templates"
            " --out-html {output.html} --out-tex {output.tex} > {log} 2>&1"

    rule:
        name:
            f"pdf{suffix}"
        input:
            tex=f"{RESULTS}/{document}.tex",
            figures=[f"{RESULTS}/figures/{name}.pdf" for name in drawn],
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
            runs(paper.rows, "metrics.json"),
            expand(f"{RESULTS}/{paper.key}.{{format}}", format=FORMATS),

    rule:
        name:
            f"keep_{paper.key}"
        input:
            summaries=summaries(paper.rows),
            runs=runs(paper.rows, "metrics.json", "history.csv"),
            evidence=evidence([paper], "findings", "claims"),
            code=library("judging.scorecard", "results.reference", "results.provenance"),
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
            published=paper.fingerprint("names", "tables", "confusion_matrices"),
            results=RESULTS,
            seeds=SEEDS,
            margins=CLOSE,
        shell:
            "{REFASHION} reference --paper {params.paper} --results {params.results}"
            " --seeds {params.seeds} --margins {MARGINS:q} --out {output.table}"
            " > {log} 2>&1"

    rule:
        name:
            f"reference_{paper.key}"
        input:
            runs(paper.rows, "metrics.json"),
            f"{REFERENCE}/{paper.key}.csv",


rule reference:
    input:
        runs(ROWS, "metrics.json"),
        [f"{REFERENCE}/{paper.key}.csv" for paper in PAPERS],
