# Sensitivity studies: what other readings of a paper's assumptions would have given. Their rows are
# trained by the rules of training.smk, and nothing but the targets here asks for them.

import json

STUDIED = [paper for paper in PAPERS if paper.studies]
STUDIES_CODE = CLAIMS_CODE + [
    f"workflow/refashion/{module}.py"
    for module in ("judging/diagnosis/runs", "judging/studies", "paper/studies")
]
STUDIES_DRAWN = [
    f"{RESULTS}/figures/{paper.key}/{study.assumption}"
    for paper in STUDIED
    for study in paper.studies
]


for paper in STUDIED:
    compared = f"{RESULTS}/evidence/{paper.key}/studies.json"
    rows = readings.needed_rows(paper)

    rule:
        name:
            f"studies_{paper.key}"
        input:
            levels=f"{RESULTS}/evidence/{paper.key}/levels.json",
            summaries=[f"{RESULTS}/{paper.key}/{row.id}/summary.json" for row in rows],
            runs=[
                f"{RESULTS}/{paper.key}/{row.id}/seed-{seed}/{file}"
                for row in rows
                for seed in SEEDS
                for file in ("metrics.json", "history.csv", "outputs.safetensors")
            ],
            code=STUDIES_CODE,
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
            studies=[repr(study) for study in paper.studies],
            published=plain(paper.tables + paper.confusion_matrices),
            tested=[
                claim.model_dump(mode="json", include={"id", "test", "needs"})
                for claim in paper.claims
            ],
            config=config_of([paper.key]),
            results=RESULTS,
        shell:
            "python -m refashion studies --paper {params.paper} --config {params.config:q}"
            " --results {params.results} --out {output} > {log} 2>&1"

    for study in paper.studies:
        stem = f"{RESULTS}/figures/{paper.key}/{study.assumption}"

        rule:
            name:
                f"draw_study_{paper.key}_{study.assumption}"
            input:
                compared=compared,
                code=[
                    f"workflow/refashion/report/figures/{module}.py"
                    for module in ("__init__", "readings", "shared")
                ],
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
                "python -m refashion draw-study --compared {input.compared}"
                " --paper {params.paper} --assumption {params.assumption}"
                " --scale {params.scale} --out-svg {output.svg} --out-pdf {output.pdf}"
                " > {log} 2>&1"

        # One study's trainings alone, by name.
        rule:
            name:
                f"{paper.key}_{study.assumption}"
            input:
                [
                    f"{RESULTS}/{paper.key}/{row}/summary.json"
                    for row in (*study.rows, *(row.id for row in study.trained))
                ],


rule report_studies:
    input:
        compared=[f"{RESULTS}/evidence/{paper.key}/studies.json" for paper in STUDIED],
        figures=[f"{figure}.svg" for figure in STUDIES_DRAWN],
        papers=[paper.file for paper in STUDIED],
        templates=[
            f"report/templates/{template}"
            for template in (
                "page.html.j2",
                "page.tex.j2",
                "studies.html.j2",
                "studies.tex.j2",
                "style.css.j2",
            )
        ],
        code=[
            f"workflow/refashion/{module}.py"
            for module in (
                "paper/claim_words",
                "report/claims",
                "judging/numbers",
                "judging/statistics",
                "results/summary",
                "report/latex",
                "results/provenance",
                "report/page",
                "judging/studies",
                "report/studies",
                "paper/studies",
                "text",
                "paper/settings",
                "paper/images",
            )
        ],
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
        config=CONFIG.model_dump_json(),
        results=RESULTS,
    shell:
        "python -m refashion report-studies --config {params.config:q}"
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
        expand(f"{RESULTS}/studies.{{format}}", format=FORMATS),


rule reference_studies:
    input:
        compared=[f"{RESULTS}/evidence/{paper.key}/studies.json" for paper in STUDIED],
        runs=[
            f"{RESULTS}/{row.paper}/{row.id}/seed-{seed}/{file}"
            for row in STUDY_ROWS
            for seed in SEEDS
            for file in ("metrics.json", "history.csv")
        ],
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
