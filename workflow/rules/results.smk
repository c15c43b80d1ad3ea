# Tables and figures.


rule tables:
    input:
        metrics="results/{name}/metrics.csv",
        runs=run_files("models", "run.yaml"),
        published="config/published.yaml",
    output:
        expand("results/{{name}}/{table}", table=TABLES),
    log:
        "results/{name}/logs/tables.log",
    benchmark:
        "results/{name}/benchmarks/tables.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("tables"),
        folder="results/{name}/tables",
        dataset=CONFIG.figures.dataset,
    shell:
        """
        rem tables {params.folder:q} \
            --metrics {input.metrics:q} \
            --runs {input.runs:q} \
            --published {input.published:q} \
            --dataset {params.dataset:q} \
            --name {wildcards.name:q} \
            >{log:q} 2>&1
        """


rule claims:
    input:
        metrics="results/{name}/metrics.csv",
        runs=run_files("models", "run.yaml"),
        images=images_files("tables"),
        trajectory=followed_trajectory,
        equivariance=equivariance_files,
        accuracies=accuracies_files,
        probes=f"results/{CONFIG.name}/probes.csv" if PROBED else [],
    output:
        expand("results/{{name}}/tables/claims.{suffix}", suffix=["csv", "md"]),
    log:
        "results/{name}/logs/claims.log",
    benchmark:
        "results/{name}/benchmarks/claims.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("claims"),
        folder="results/{name}/tables",
        dataset=CONFIG.figures.dataset,
        trajectory=trajectory_option,
        equivariance=equivariance_option,
        accuracies=accuracies_option,
        probes=probes_option,
    shell:
        """
        rem claims {params.folder:q} \
            --metrics {input.metrics:q} \
            --runs {input.runs:q} \
            --images {input.images:q} \
            {params.trajectory:q} \
            {params.equivariance:q} \
            {params.accuracies:q} \
            {params.probes:q} \
            --dataset {params.dataset:q} \
            --name {wildcards.name:q} \
            >{log:q} 2>&1
        """


rule figure:
    input:
        figure_files,
    output:
        "results/{name}/figures/{figure}.png",
        "results/{name}/figures/{figure}.svg",
    log:
        "results/{name}/logs/figures/{figure}.log",
    benchmark:
        "results/{name}/benchmarks/figures/{figure}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=figure_code,
        which="{figure}",
        stem="results/{name}/figures/{figure}",
        words=figure_words,
    shell:
        """
        rem figure {params.which} {params.stem:q} {params.words:q} \
            >{log:q} 2>&1
        """
