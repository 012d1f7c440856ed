# Sensitivity studies: what other readings of a paper's assumptions would have given. Their rows are
# trained by the rules of training.smk, and nothing but the targets here asks for them.

STUDIED = [paper for paper in PAPERS if paper.studies]
COMPARED_ROWS = [row for paper in STUDIED for row in readings.needed_rows(paper)]
STUDIES_DRAWN = [
    f"{RESULTS}/figures/{paper.key}/{study.assumption}"
    for paper in STUDIED
    for study in paper.studies
]


for paper in STUDIED:
    rows = readings.needed_rows(paper)
    (compared,) = evidence([paper], "studies")

    rule:
        name:
            f"studies_{paper.key}"
        input:
            levels=evidence([paper], "levels"),
            summaries=summaries(rows),
            runs=runs(rows, "metrics.json", "history.csv", "outputs.safetensors"),
            code=library("judging.studies"),
        output:
            compared,
        log:
            f"{LOGS}/studies/{paper.key}.log",
        localrule: True
        resources:
            mem_mb=500,
            runtime=10,
        params:
            paper=paper.file,
            studied=paper.fingerprint(
                "names", "tables", "confusion_matrices", "tested", "studies"
            ),
            results=RESULTS,
            seeds=SEEDS,
            margins=CLOSE,
        shell:
            "{REFASHION} studies --paper {params.paper} --results {params.results}"
            " --seeds {params.seeds} --margins {MARGINS:q} --out {output} > {log} 2>&1"

    for study in paper.studies:
        stem = f"{RESULTS}/figures/{paper.key}/{study.assumption}"

        rule:
            name:
                f"draw_study_{paper.key}_{study.assumption}"
            input:
                compared=compared,
                code=library("judging.studies", "report.figures.readings"),
            output:
                svg=f"{stem}.svg",
                pdf=f"{stem}.pdf",
            log:
                f"{LOGS}/draw/{paper.key}_{study.assumption}.log",
            localrule: True
            resources:
                mem_mb=500,
                runtime=10,
            params:
                paper=paper.key,
                assumption=study.assumption,
                scale=SCALE,
            shell:
                "{REFASHION} draw-study --compared {input.compared}"
                " --paper {params.paper} --assumption {params.assumption}"
                " --scale {params.scale} --out-svg {output.svg} --out-pdf {output.pdf}"
                " > {log} 2>&1"

        # One study's trainings alone, by name.
        varied = [*map(paper.row, study.rows), *study.trained]

        rule:
            name:
                f"{paper.key}_{study.assumption}"
            input:
                runs(varied, "metrics.json"),
                summaries(varied),


rule report_studies:
    input:
        compared=evidence(STUDIED, "studies"),
        runs=runs(COMPARED_ROWS, "metrics.json"),
        summaries=summaries(COMPARED_ROWS),
        figures=[f"{figure}.svg" for figure in STUDIES_DRAWN],
        templates=[*LAYOUT, "report/templates/studies.j2"],
        code=library("report.studies", "report.render", "results.provenance"),
    output:
        html=f"{RESULTS}/studies.html",
        tex=f"{RESULTS}/studies.tex",
    log:
        f"{LOGS}/report/studies.log",
    localrule: True
    resources:
        mem_mb=500,
        runtime=10,
    params:
        papers=[paper.file for paper in STUDIED],
        contents=[paper.fingerprint() for paper in STUDIED],
        stated=STATED,
        results=RESULTS,
    shell:
        "{REFASHION} report-studies --papers {params.papers} --config {CONFIGURATION:q}"
        " --results {params.results} --templates report/templates"
        " --out-html {output.html} --out-tex {output.tex} > {log} 2>&1"


rule pdf_studies:
    input:
        tex=f"{RESULTS}/studies.tex",
        figures=[f"{figure}.pdf" for figure in STUDIES_DRAWN],
    output:
        f"{RESULTS}/studies.pdf",
    log:
        f"{LOGS}/pdf/studies.log",
    localrule: True
    resources:
        mem_mb=500,
        runtime=10,
    shell:
        "latexmk -cd -pdf -interaction=nonstopmode -halt-on-error {input.tex} > {log} 2>&1"
        " && latexmk -cd -c {input.tex} >> {log} 2>&1"


rule studies:
    input:
        runs(COMPARED_ROWS, "metrics.json"),
        expand(f"{RESULTS}/studies.{{format}}", format=FORMATS),


rule keep_studies:
    input:
        compared=evidence(STUDIED, "studies"),
        runs=runs(STUDY_ROWS, "metrics.json", "history.csv"),
    output:
        directory(f"{REFERENCE}/studies"),
    log:
        f"{LOGS}/reference/studies.log",
    localrule: True
    resources:
        mem_mb=500,
        runtime=10,
    params:
        results=RESULTS,
        kept=lambda wildcards, input: [
            str(Path(file).relative_to(RESULTS)) for file in input
        ],
    shell:
        "(mkdir -p {output} && tar -C {params.results} -c {params.kept} | tar -C {output} -x)"
        " > {log} 2>&1"


rule reference_studies:
    input:
        runs(STUDY_ROWS, "metrics.json"),
        f"{REFERENCE}/studies",
