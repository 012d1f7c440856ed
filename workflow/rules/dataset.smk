# The data set: from the first source that answers, checked, as one file of tensors. The checksum
# beside it is what trainings depend on: the same images from another source retrain nothing.


rule fetch_dataset:
    input:
        code=library("training.sources"),
    output:
        tensors="results/dataset/paper.safetensors",
        checksum="results/dataset/paper.sha256",
    log:
        "results/dataset/fetch.log",
    localrule: True
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        sources=list(CONFIG.dataset.sources),
        folder=CONFIG.dataset.folder or "",
    shell:
        "{REFASHION} fetch-dataset --sources {params.sources} --folder {params.folder:q}"
        " --out {output.tensors} > {log} 2>&1"


rule subset_dataset:
    input:
        tensors=ancient("results/dataset/paper.safetensors"),
        checksum="results/dataset/paper.sha256",
        code=library("training.dataset"),
    output:
        tensors="results/dataset/smoke.safetensors",
        checksum="results/dataset/smoke.sha256",
    log:
        "results/dataset/subset.log",
    localrule: True
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        train=CONFIG.scales.smoke.train_images,
        test=CONFIG.scales.smoke.test_images,
    shell:
        "{REFASHION} subset --dataset {input.tensors} --train-images {params.train}"
        " --test-images {params.test} --out {output.tensors} > {log} 2>&1"
