# Trained networks to coupling coefficients.


rule extract_couplings:
    input:
        checkpoints=expand(
            "results/{{name}}/models/{{dataset}}/{{variant}}/seed{{seed}}/{checkpoint}.pt",
            checkpoint=["first", "best", "last"],
        ),
        data=network_data,
        architecture=architecture_file,
    output:
        expand("results/{{name}}/couplings/{{dataset}}/{{variant}}/seed{{seed}}/{file}.h5", file=COUPLINGS),
    log:
        "results/{name}/logs/couplings/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/couplings/{dataset}-{variant}-seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpu_slots,
        gres=gpu_shards,
    params:
        code=code("couplings"),
        architecture=architecture_option,
        checkpoints=input_folder,
        folder="results/{name}/couplings/{dataset}/{variant}/seed{seed}",
        files=stems,
        levels=CONFIG.quantizer.maximum,
        cells=cells_option,
        device=CONFIG.device,
    shell:
        """
        rem couplings {params.folder:q} \
            --checkpoints {params.checkpoints:q} \
            --files {params.files:q} \
            --data {input.data:q} \
            --maximum-levels {params.levels} \
            {params.cells} \
            {params.architecture:q} \
            --device {params.device} \
            --threads {threads} \
            >{log:q} 2>&1
        """


use rule extract_couplings as extract_transfer with:
    input:
        checkpoints=expand(
            "results/{{name}}/models/{{dataset}}/{{variant}}/seed{{seed}}/{checkpoint}.pt",
            checkpoint=["early", "best", "last"],
        ),
        data=network_data,
        architecture=architecture_file,
    output:
        expand("results/{{name}}/couplings/{{dataset}}/{{variant}}/seed{{seed}}/{file}.h5", file=TRANSFER),
    log:
        "results/{name}/logs/transfer/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/transfer/{dataset}-{variant}-seed{seed}.tsv"


# Snakemake tells a folder's change by its date alone, which a clone does not keep. So what is made of a folder waits for
# a file beside it, whose content changes with it, and for the option that says which files the folder has.
rule extract_trajectory:
    input:
        epochs=ancient("results/{name}/models/{dataset}/{variant}/seed{seed}/epochs"),
        history="results/{name}/models/{dataset}/{variant}/seed{seed}/history.csv",
        data=network_data,
        architecture=architecture_file,
    output:
        folder=directory("results/{name}/trajectory/{dataset}/{variant}/seed{seed}/couplings"),
        checksums="results/{name}/trajectory/{dataset}/{variant}/seed{seed}/couplings.sha256",
    log:
        "results/{name}/logs/trajectory_couplings/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/trajectory_couplings/{dataset}-{variant}-seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpu_slots,
        gres=gpu_shards,
    params:
        code=code("couplings"),
        kept=keep_option,  # of which epochs the folder has networks
        architecture=architecture_option,
        levels=CONFIG.quantizer.maximum,
        cells=cells_option,
        device=CONFIG.device,
    shell:
        """
        rem couplings {output.folder:q} \
            --checkpoints {input.epochs:q} \
            --files '*.test' \
            --data {input.data:q} \
            --maximum-levels {params.levels} \
            {params.cells} \
            {params.architecture:q} \
            --device {params.device} \
            --threads {threads} \
            >{log:q} 2>&1
        sha256sum {output.folder:q}/*.h5 >{output.checksums:q}
        """
