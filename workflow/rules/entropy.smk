# Couplings to the number of levels, dictionaries, entropies, one table of all metrics, and the tests on it.


rule choose_levels:
    input:
        couplings=checkpoint_couplings,
    output:
        "results/{name}/entropies/{dataset}/levels.csv",
    log:
        "results/{name}/logs/levels/{dataset}.log",
    benchmark:
        "results/{name}/benchmarks/levels/{dataset}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("choose-levels"),
        tolerance=CONFIG.quantizer.tolerance,
        skip_edges="--skip-edges" if CONFIG.quantizer.skip_edges else "",
        authors_levels=authors_levels,
    shell:
        """
        rem choose-levels {output:q} \
            --couplings {input.couplings:q} \
            --tolerance {params.tolerance} \
            {params.skip_edges} \
            --authors-levels {params.authors_levels} \
            >{log:q} 2>&1
        """


rule entropy:
    input:
        couplings=expand("results/{{name}}/couplings/{{dataset}}/{{variant}}/seed{{seed}}/{file}.h5", file=COUPLINGS),
        levels="results/{name}/entropies/{dataset}/levels.csv",
    output:
        table="results/{name}/entropies/{dataset}/{variant}/seed{seed}/entropy.csv",
        dictionaries=expand("results/{{name}}/entropies/{{dataset}}/{{variant}}/seed{{seed}}/{file}.h5", file=COUPLINGS),
        sweeps=expand("results/{{name}}/entropies/{{dataset}}/{{variant}}/seed{{seed}}/sweep/{file}.csv", file=TESTED),
    log:
        "results/{name}/logs/entropy/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/entropy/{dataset}-{variant}-seed{seed}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("entropy"),
        folder="results/{name}/entropies/{dataset}/{variant}/seed{seed}",
        swept=swept,
    shell:
        """
        rem entropy {output.table:q} \
            --folder {params.folder:q} \
            --couplings {input.couplings:q} \
            --levels {input.levels:q} \
            --swept {params.swept:q} \
            >{log:q} 2>&1
        """


use rule entropy as entropy_transfer with:
    input:
        couplings=expand("results/{{name}}/couplings/{{dataset}}/{{variant}}/seed{{seed}}/{file}.h5", file=TRANSFER),
        levels="results/{name}/entropies/{dataset}/levels.csv",
    output:
        table="results/{name}/entropies/{dataset}/{variant}/seed{seed}/entropy_transfer.csv",
        dictionaries=expand("results/{{name}}/entropies/{{dataset}}/{{variant}}/seed{{seed}}/{file}.h5", file=TRANSFER),
        sweeps=expand("results/{{name}}/entropies/{{dataset}}/{{variant}}/seed{{seed}}/sweep/{file}.csv", file=TRANSFER),
    log:
        "results/{name}/logs/entropy_transfer/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/entropy_transfer/{dataset}-{variant}-seed{seed}.tsv"


rule trajectory:
    input:
        couplings=ancient("results/{name}/trajectory/{dataset}/{variant}/seed{seed}/couplings"),
        checksums="results/{name}/trajectory/{dataset}/{variant}/seed{seed}/couplings.sha256",
        levels="results/{name}/entropies/{dataset}/levels.csv",
    output:
        "results/{name}/trajectory/{dataset}/{variant}/seed{seed}/trajectory.csv",
    log:
        "results/{name}/logs/trajectory/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/trajectory/{dataset}-{variant}-seed{seed}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("trajectory"),
    shell:
        """
        rem trajectory {output:q} \
            --couplings {input.couplings:q} \
            --levels {input.levels:q} \
            >{log:q} 2>&1
        """


rule metrics:
    input:
        couplings=couplings_files(),
        entropies=entropy_files(),
        sweeps=sweep_files(),
        levels=levels_files(),
    output:
        "results/{name}/metrics.csv",
    log:
        "results/{name}/logs/metrics.log",
    benchmark:
        "results/{name}/benchmarks/metrics.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("metrics"),
    shell:
        """
        rem metrics {output:q} \
            --couplings {input.couplings:q} \
            --entropies {input.entropies:q} \
            --sweeps {input.sweeps:q} \
            --levels {input.levels:q} \
            >{log:q} 2>&1
        """


rule resample:
    input:
        dictionaries=tested_dictionaries,
    output:
        "results/{name}/tables/images/{dataset}.csv",
    log:
        "results/{name}/logs/resample/{dataset}.log",
    benchmark:
        "results/{name}/benchmarks/resample/{dataset}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("resample"),
    shell:
        """
        rem resample {output:q} --dictionaries {input.dictionaries:q} \
            >{log:q} 2>&1
        """


rule paired:
    input:
        metrics="results/{name}/metrics.csv",
        runs=run_files("models", "run.yaml"),
        images=images_files("tables"),
    output:
        "results/{name}/tables/paired.csv",
        "results/{name}/tables/paired.md",
    log:
        "results/{name}/logs/paired.log",
    benchmark:
        "results/{name}/benchmarks/paired.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("paired"),
        folder="results/{name}/tables",
    shell:
        """
        rem paired {params.folder:q} \
            --metrics {input.metrics:q} \
            --runs {input.runs:q} \
            --images {input.images:q} \
            >{log:q} 2>&1
        """
