# Couplings to the number of levels, dictionaries, entropies, and one table of all metrics.


rule levels:
    input:
        couplings=checkpoint_couplings,
        code=modules("levels", "quantize"),
    output:
        "results/{name}/levels/{dataset}/levels.csv",
    params:
        tolerance=CONFIG.levels.tolerance,
    log:
        "results/{name}/logs/levels/{dataset}.log",
    benchmark:
        "results/{name}/benchmarks/levels/{dataset}.tsv"
    shell:
        """
        rem levels {output:q} \
            --couplings {input.couplings:q} \
            --tolerance {params.tolerance} \
            2>&1 | tee {log:q}
        """


rule entropy:
    input:
        couplings=expand(
            "results/{{name}}/runs/{{dataset}}/{{variant}}/seed{{seed}}/couplings/{checkpoint}.{split}.h5",
            checkpoint=CHECKPOINTS,
            split=SPLITS,
        ),
        levels="results/{name}/levels/{dataset}/levels.csv",
        code=modules("parse_trees", "entropy", "quantize"),
    output:
        table="results/{name}/runs/{dataset}/{variant}/seed{seed}/entropy.csv",
        dictionaries=expand(
            "results/{{name}}/runs/{{dataset}}/{{variant}}/seed{{seed}}/dictionaries/{checkpoint}.{split}.h5",
            checkpoint=CHECKPOINTS,
            split=SPLITS,
        ),
    params:
        folder="results/{name}/runs/{dataset}/{variant}/seed{seed}/dictionaries",
        published=CONFIG.levels.published,
    log:
        "results/{name}/logs/entropy/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/entropy/{dataset}-{variant}-seed{seed}.tsv"
    shell:
        """
        rem entropy {output.table:q} \
            --folder {params.folder:q} \
            --couplings {input.couplings:q} \
            --levels {input.levels:q} \
            --published-levels {params.published} \
            2>&1 | tee {log:q}
        """


rule trajectory_entropy:
    input:
        couplings="results/{name}/runs/{dataset}/{variant}/seed{seed}/trajectory/couplings",
        levels="results/{name}/levels/{dataset}/levels.csv",
        code=modules("parse_trees", "entropy", "quantize"),
    output:
        table="results/{name}/runs/{dataset}/{variant}/seed{seed}/trajectory/entropy.csv",
        dictionaries=directory("results/{name}/runs/{dataset}/{variant}/seed{seed}/trajectory/dictionaries"),
    params:
        published=CONFIG.levels.published,
    log:
        "results/{name}/logs/trajectory_entropy/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/trajectory_entropy/{dataset}-{variant}-seed{seed}.tsv"
    shell:
        """
        rem entropy {output.table:q} \
            --folder {output.dictionaries:q} \
            --couplings {input.couplings:q} \
            --levels {input.levels:q} \
            --published-levels {params.published} \
            2>&1 | tee {log:q}
        """


rule trajectory:
    input:
        couplings="results/{name}/runs/{dataset}/{variant}/seed{seed}/trajectory/couplings",
        entropies="results/{name}/runs/{dataset}/{variant}/seed{seed}/trajectory/entropy.csv",
        levels="results/{name}/levels/{dataset}/levels.csv",
        code=modules("metrics"),
    output:
        "results/{name}/runs/{dataset}/{variant}/seed{seed}/trajectory/trajectory.csv",
    log:
        "results/{name}/logs/trajectory/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/trajectory/{dataset}-{variant}-seed{seed}.tsv"
    shell:
        """
        rem trajectory {output:q} \
            --couplings {input.couplings:q} \
            --entropies {input.entropies:q} \
            --levels {input.levels:q} \
            2>&1 | tee {log:q}
        """


rule metrics:
    input:
        couplings=run_files("couplings/{checkpoint}.{split}.h5", checkpoint=CHECKPOINTS, split=SPLITS),
        entropies=run_files("entropy.csv"),
        settings=run_files("run.yaml"),
        levels=expand(
            "results/{name}/levels/{dataset}/levels.csv", name=CONFIG.name, dataset=CONFIG.select.datasets
        ),
        code=modules("metrics"),
    output:
        "results/{name}/metrics.csv",
    params:
        runs=run_files(""),
    log:
        "results/{name}/logs/metrics.log",
    benchmark:
        "results/{name}/benchmarks/metrics.tsv"
    shell:
        """
        rem metrics {output:q} \
            --runs {params.runs:q} \
            --levels {input.levels:q} \
            2>&1 | tee {log:q}
        """
