# What a network's routing is worth: other couplings in place of its own, and how strong and stable its own are.


rule probe:
    input:
        checkpoint=shown_checkpoint,
        data=network_data,
        levels="results/{name}/entropies/{dataset}/levels.csv",
        architecture=architecture_file,
    output:
        "results/{name}/probes/{dataset}/{variant}/seed{seed}.csv",
    log:
        "results/{name}/logs/probe/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/probe/{dataset}-{variant}-seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpu_slots,
        gres=gpu_shards,
    params:
        code=code("probe"),
        architecture=architecture_option,
        splits=tested_splits,
        device=CONFIG.device,
    shell:
        """
        rem probe {output:q} \
            --checkpoint {input.checkpoint:q} \
            --splits {params.splits} \
            --levels {input.levels:q} \
            --data {input.data:q} \
            {params.architecture:q} \
            --device {params.device} \
            --threads {threads} \
            >{log:q} 2>&1
        """


rule probes:
    input:
        metrics="results/{name}/metrics.csv",
        probes=probe_files,
        runs=run_files("models", "run.yaml", PROBED),
    output:
        "results/{name}/probes.csv",
        "results/{name}/tables/probes.csv",
        "results/{name}/tables/probes.md",
    log:
        "results/{name}/logs/probes.log",
    benchmark:
        "results/{name}/benchmarks/probes.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("probes"),
        folder=input_folder,
    shell:
        """
        rem probes {params.folder:q} \
            --probes {input.probes:q} \
            --metrics {input.metrics:q} \
            --runs {input.runs:q} \
            >{log:q} 2>&1
        """
