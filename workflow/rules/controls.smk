# The experiment `controls`: which part of REM does the work? Its results are files of their own.


use rule metrics as controls_metrics with:
    input:
        couplings=couplings_files(CONTROLS),
        entropies=entropy_files(CONTROLS),
        sweeps=sweep_files(CONTROLS),
        levels=levels_files(CONTROLS),
    output:
        "results/{name}/controls/metrics.csv",
    log:
        "results/{name}/logs/controls/metrics.log",
    benchmark:
        "results/{name}/benchmarks/controls/metrics.tsv"


rule controls_table:
    input:
        metrics="results/{name}/controls/metrics.csv",
        runs=run_files("models", "run.yaml", CONTROLS),
    output:
        expand("results/{{name}}/controls/table_controls.{suffix}", suffix=["csv", "md", "tex"]),
    log:
        "results/{name}/logs/controls/table.log",
    benchmark:
        "results/{name}/benchmarks/controls/table.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("controls"),
        folder=input_folder,
    shell:
        """
        rem controls {params.folder:q} \
            --metrics {input.metrics:q} \
            --runs {input.runs:q} \
            >{log:q} 2>&1
        """


use rule resample as controls_resample with:
    input:
        dictionaries=controls_dictionaries,
    output:
        "results/{name}/controls/images/{dataset}.csv",
    log:
        "results/{name}/logs/controls/resample-{dataset}.log",
    benchmark:
        "results/{name}/benchmarks/controls/resample-{dataset}.tsv"


use rule claims as controls_claims with:
    input:
        metrics="results/{name}/controls/metrics.csv",
        runs=run_files("models", "run.yaml", CONTROLS),
        images=images_files("controls", CONTROLS),
        trajectory=[],
        equivariance=[],
        accuracies=[],
        probes=[],
    output:
        expand("results/{{name}}/controls/claims.{suffix}", suffix=["csv", "md"]),
    log:
        "results/{name}/logs/controls/claims.log",
    benchmark:
        "results/{name}/benchmarks/controls/claims.tsv"
    params:
        folder=input_folder,
        dataset=CONFIG.figures.dataset,
        trajectory=[],
        equivariance=[],
        accuracies=[],
        probes=[],


use rule figure as controls_figure with:
    input:
        metrics="results/{name}/controls/metrics.csv",
        runs=run_files("models", "run.yaml", CONTROLS),
    output:
        "results/{name}/controls/controls.png",
        "results/{name}/controls/controls.svg",
    log:
        "results/{name}/logs/controls/figure.log",
    benchmark:
        "results/{name}/benchmarks/controls/figure.tsv"
    params:
        code=code("figure controls"),
        which="controls",
        stem="results/{name}/controls/controls",
        words=["results/{name}/controls/metrics.csv", *run_files("models", "run.yaml", CONTROLS)],
