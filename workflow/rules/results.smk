# Tables and figures.


rule tables:
    input:
        metrics="results/{name}/metrics.csv",
        runs=run_files("models", "run.yaml"),
        published="config/published.yaml",
        code=modules("tables", "layout", "selection", "published", "results"),
    output:
        expand("results/{{name}}/{table}", table=TABLES),
    log:
        "results/{name}/logs/tables.log",
    benchmark:
        "results/{name}/benchmarks/tables.tsv"
    conda:
        "../../environment.yml"
    params:
        folder="results/{name}/tables",
        dataset=CONFIG.figures.dataset,
        published_levels=CONFIG.levels.published,
    shell:
        """
        rem tables {params.folder:q} \
            --metrics {input.metrics:q} \
            --runs {input.runs:q} \
            --published {input.published:q} \
            --dataset {params.dataset:q} \
            --published-levels {params.published_levels} \
            --name {wildcards.name:q} \
            2>&1 | tee {log:q}
        """


rule claims:
    input:
        metrics="results/{name}/metrics.csv",
        runs=run_files("models", "run.yaml"),
        trajectory=followed_trajectory,
        code=modules("claims", "evidence", "verdicts", "differences", "selection", "results"),
    output:
        expand("results/{{name}}/{file}", file=CLAIMS),
    log:
        "results/{name}/logs/claims.log",
    benchmark:
        "results/{name}/benchmarks/claims.tsv"
    conda:
        "../../environment.yml"
    params:
        folder="results/{name}/tables",
        dataset=CONFIG.figures.dataset,
        published_levels=CONFIG.levels.published,
        trajectory=trajectory_option,
    shell:
        """
        rem claims {params.folder:q} \
            --metrics {input.metrics:q} \
            --runs {input.runs:q} \
            {params.trajectory:q} \
            --dataset {params.dataset:q} \
            --published-levels {params.published_levels} \
            --name {wildcards.name:q} \
            2>&1 | tee {log:q}
        """


rule figure:
    input:
        data=figure_inputs,
        code=modules("figures", "results"),
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
        stem="results/{name}/figures/{figure}",
    shell:
        """
        rem figure {wildcards.figure} {params.stem:q} {input.data:q} \
            2>&1 | tee {log:q}
        """
