# One network per dataset, variant and seed.


localrules:
    run_settings,
    data_settings,


rule run_settings:
    output:
        "results/{name}/models/{dataset}/{variant}/seed{seed}/run.yaml",
    log:
        "results/{name}/logs/run_settings/{dataset}-{variant}-seed{seed}.log",
    conda:
        "../../environment.yml"
    params:
        text=run_settings_text,
    shell:
        "printf %s {params.text:q} > {output:q} 2> {log:q}"


rule train:
    input:
        run="results/{name}/models/{dataset}/{variant}/seed{seed}/run.yaml",
        data=network_data,
        followed=followed_history,
        backbone=backbone_weights,
        architecture=architecture_file,
    output:
        first="results/{name}/models/{dataset}/{variant}/seed{seed}/first.pt",
        best="results/{name}/models/{dataset}/{variant}/seed{seed}/best.pt",
        early="results/{name}/models/{dataset}/{variant}/seed{seed}/early.pt",
        last="results/{name}/models/{dataset}/{variant}/seed{seed}/last.pt",
        history="results/{name}/models/{dataset}/{variant}/seed{seed}/history.csv",
        epochs=directory("results/{name}/models/{dataset}/{variant}/seed{seed}/epochs"),
    log:
        "results/{name}/logs/train/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/train/{dataset}-{variant}-seed{seed}.tsv"
    priority: 1  # the long jobs first, so that none is left to run alone at the end
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpu_slots,
        gres=gpu_shards,
    params:
        code=code("train"),
        followed=followed_option,
        backbone=backbone_option,
        kept=keep_option,
        device=CONFIG.device,
    shell:
        """
        rem train {input.run:q} \
            --data {input.data:q} \
            {params.followed:q} \
            {params.backbone:q} \
            {params.kept:q} \
            --device {params.device} \
            --threads {threads} \
            >{log:q} 2>&1
        """


rule accuracies:
    input:
        epochs=ancient("results/{name}/models/{dataset}/{variant}/seed{seed}/epochs"),
        history="results/{name}/models/{dataset}/{variant}/seed{seed}/history.csv",
        data=network_data,
        architecture=architecture_file,
    output:
        "results/{name}/trajectory/{dataset}/{variant}/seed{seed}/accuracies.csv",
    log:
        "results/{name}/logs/accuracies/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/accuracies/{dataset}-{variant}-seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpu_slots,
        gres=gpu_shards,
    params:
        code=code("accuracies"),
        kept=keep_option,  # of which epochs the folder has networks
        architecture=architecture_option,
        device=CONFIG.device,
    shell:
        """
        rem accuracies {output:q} \
            --epochs {input.epochs:q} \
            --data {input.data:q} \
            {params.architecture:q} \
            --device {params.device} \
            --threads {threads} \
            >{log:q} 2>&1
        """
