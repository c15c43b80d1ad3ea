# Trained networks to coupling coefficients.


rule extract_couplings:
    input:
        checkpoints=expand(
            "results/{{name}}/models/{{dataset}}/{{variant}}/seed{{seed}}/{checkpoint}.pt", checkpoint=CHECKPOINTS
        ),
        data="data/prepared/{name}/{dataset}.h5",
        code=modules("couplings", "capsnet", "quantize", "lobster", "losses", "batches"),
    output:
        expand(
            "results/{{name}}/couplings/{{dataset}}/{{variant}}/seed{{seed}}/{checkpoint}.{split}.h5",
            checkpoint=CHECKPOINTS,
            split=SPLITS,
        ),
    log:
        "results/{name}/logs/couplings/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/couplings/{dataset}-{variant}-seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpu_slots,
    params:
        folder="results/{name}/couplings/{dataset}/{variant}/seed{seed}",
        splits=SPLITS,
        levels=CONFIG.levels.maximum,
        device=CONFIG.device,
    shell:
        """
        rem couplings {params.folder:q} \
            --checkpoints {input.checkpoints:q} \
            --splits {params.splits} \
            --data {input.data:q} \
            --maximum-levels {params.levels} \
            --device {params.device} \
            --threads {threads} \
            2>&1 | tee {log:q}
        """


rule extract_trajectory:
    input:
        epochs="results/{name}/models/{dataset}/{variant}/seed{seed}/epochs",
        data="data/prepared/{name}/{dataset}.h5",
        code=modules("couplings", "capsnet", "quantize", "lobster", "losses", "batches"),
    output:
        directory("results/{name}/trajectory/{dataset}/{variant}/seed{seed}/couplings"),
    log:
        "results/{name}/logs/trajectory_couplings/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/trajectory_couplings/{dataset}-{variant}-seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpu_slots,
    params:
        levels=CONFIG.levels.maximum,
        device=CONFIG.device,
    shell:
        """
        rem couplings {output:q} \
            --checkpoints {input.epochs:q} \
            --splits test \
            --data {input.data:q} \
            --maximum-levels {params.levels} \
            --device {params.device} \
            --threads {threads} \
            2>&1 | tee {log:q}
        """
