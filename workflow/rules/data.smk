# Dataset files from their official addresses or a mirror, and one HDF5 file of splits per dataset.

try:  # here and not in an input function, whose errors Snakemake passes over where the output is there already
    FILES = {
        run.dataset: source_files.data_files(run.data.source, run.data.folder, run.data.transfer)
        for run in ALL_RUNS.values()
    }
except RemError as error:
    raise WorkflowError(str(error)) from None


localrules:
    features_settings,
    fetch,  # a cluster's nodes seldom reach the network


rule fetch:
    output:
        "data/raw/{source}/{file}",
    log:
        f"results/{CONFIG.name}/logs/fetch/{{source}}-{{file}}.log",
    benchmark:
        f"results/{CONFIG.name}/benchmarks/fetch/{{source}}-{{file}}.tsv"
    retries: 2
    conda:
        "../../environment.yml"
    shell:
        """
        rem fetch {wildcards.source:q} {output:q} \
            >{log:q} 2>&1
        """


rule data_settings:
    output:
        "data/prepared/{name}/{dataset}.yaml",
    log:
        "results/{name}/logs/data_settings/{dataset}.log",
    conda:
        "../../environment.yml"
    params:
        text=data_settings_text,
    shell:
        "printf %s {params.text:q} > {output:q} 2> {log:q}"


rule prepare:
    input:
        settings="data/prepared/{name}/{dataset}.yaml",
        files=dataset_files,
    output:
        "data/prepared/{name}/{dataset}.h5",
    log:
        "results/{name}/logs/prepare/{dataset}.log",
    benchmark:
        "results/{name}/benchmarks/prepare/{dataset}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("prepare"),
        folder_state=folder_state,
    shell:
        """
        rem prepare {input.settings:q} {output:q} \
            --files {input.files:q} \
            >{log:q} 2>&1
        """


use rule data_settings as features_settings with:
    output:
        "data/prepared/{name}/{dataset}.features.yaml",
    log:
        "results/{name}/logs/features_settings/{dataset}.log",
    params:
        text=features_settings_text,


rule features:
    input:
        settings="data/prepared/{name}/{dataset}.features.yaml",
        data="data/prepared/{name}/{dataset}.h5",
        backbone=features_weights,
    output:
        "data/prepared/{name}/{dataset}.features.h5",
    log:
        "results/{name}/logs/features/{dataset}.log",
    benchmark:
        "results/{name}/benchmarks/features/{dataset}.tsv"
    priority: 1
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpu_slots,
        gres=gpu_shards,
    params:
        code=code("features"),
        device=CONFIG.device,
    shell:
        """
        rem features {input.settings:q} {output:q} \
            --backbone-weights {input.backbone:q} \
            --data {input.data:q} \
            --device {params.device} \
            --threads {threads} \
            >{log:q} 2>&1
        """
