# One training rule per row of a paper's tables, one job per seed, and per row a target by name; the
# rows of the studies likewise, for which the report does not ask.
#
# What decides a number is an input or a parameter here: images, layer table, settings, seed, the
# modules that train, torch. What does not (captions, published numbers, the device) is not.

from importlib.metadata import version

VERSIONS = {package: version(package) for package in ("torch", "numba", "numpy")}
DONORS = {(row.paper, row.encoder.row) for row in ROWS + STUDY_ROWS if row.encoder}


for row in ROWS + STUDY_ROWS:
    folder = f"{RESULTS}/{row.paper}/{row.id}"
    run = f"{folder}/seed-{{seed}}{{again}}"

    rule:
        name:
            f"train_{row.name}"
        input:
            # The file of checksums stands for the images: it is compared by content.
            dataset=ancient(f"results/dataset/{SCALE}.safetensors"),
            checksum=f"results/dataset/{SCALE}.sha256",
            encoder=(
                f"{RESULTS}/{row.paper}/{row.encoder.row}/seed-{{seed}}/encoder.safetensors"
                if row.encoder
                else []
            ),
            code=library("training.loop", "training.dataset"),
        output:
            metrics=f"{run}/metrics.json",
            history=f"{run}/history.csv",
            weights=f"{run}/model.safetensors",
            outputs=f"{run}/outputs.safetensors",
        log:
            f"{LOGS}/train/{row.name}_seed-{{seed}}{{again}}.log",
        # A first picture of everything comes before the second seed of anything.
        priority: lambda wildcards: -SEEDS.index(int(wildcards.seed))
        threads: 1
        resources:
            mem_mb=2000,
            runtime=120,
            gpu=1,
        params:
            paper=row.file,
            row=row.id,
            spec=row.spec_sha256,
            layers=[repr(layer) for layer in row.network.layers],
            epochs=EPOCHS or row.spec.epochs,
            seed="{seed}",
            out=run,
            versions=VERSIONS,
        shell:
            "{REFASHION} train --paper {params.paper} --row {params.row}"
            " --seed {params.seed} --dataset {input.dataset} --encoder {input.encoder}"
            " --epochs {params.epochs} --gpus {resources.gpu} --out {params.out} > {log} 2>&1"

    if (row.paper, row.id) in DONORS:
        run = f"{folder}/seed-{{seed}}"

        rule:
            name:
                f"export_encoder_{row.name}"
            input:
                model=f"{run}/model.safetensors",
                code=library("training.export"),
            output:
                weights=f"{run}/encoder.safetensors",
                description=f"{run}/encoder.json",
            log:
                f"{LOGS}/export_encoder/{row.name}_seed-{{seed}}.log",
            priority: lambda wildcards: -SEEDS.index(int(wildcards.seed))
            localrule: True
            resources:
                mem_mb=1000,
                runtime=5,
            params:
                paper=row.file,
                row=row.id,
                spec=row.spec_sha256,
            shell:
                "{REFASHION} export-encoder --paper {params.paper} --row {params.row}"
                " --model {input.model} --out {output.weights} > {log} 2>&1"

    rule:
        name:
            f"summarise_{row.name}"
        input:
            runs=runs([row], "metrics.json"),
            code=library("results.summary"),
        output:
            f"{folder}/summary.json",
        log:
            f"{LOGS}/summarise/{row.name}.log",
        localrule: True
        resources:
            mem_mb=500,
            runtime=5,
        params:
            paper=row.file,
            row=row.id,
            spec=row.spec_sha256,
            seeds=SEEDS,
        shell:
            "{REFASHION} summarise --paper {params.paper} --row {params.row}"
            " --seeds {params.seeds} --metrics {input.runs} --out {output} > {log} 2>&1"

    for target in (row.name, *row.alias_names):

        rule:
            name:
                target
            input:
                runs([row], "metrics.json"),
                summaries([row]),
