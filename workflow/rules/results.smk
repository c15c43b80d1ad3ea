# Tables and figures.


rule tables:
    input:
        metrics="results/{name}/metrics.csv",
        runs=run_files("models", "run.yaml"),
        published="config/published.yaml",
        code=modules("tables", "published", "results"),
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
        published_levels=CONFIG.levels.published,
    shell:
        """
        rem tables {params.folder:q} \
            --metrics {input.metrics:q} \
            --runs {input.runs:q} \
            --published {input.published:q} \
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
