# All that `all` makes, as one HTML file to read, and its parse trees as another to browse.


localrules:
    report_html,
    explorer,


rule explorer:
    input:
        EXPLORER,


rule report_html:
    input:
        f"results/{CONFIG.name}/report.html",


rule report:
    input:
        tables=[f"results/{{name}}/{table}" for table in [*TABLES, "tables/paired.csv"] if table.endswith(".csv")],
        metrics="results/{name}/metrics.csv",
        claims="results/{name}/tables/claims.csv",
        figures=expand("results/{{name}}/figures/{figure}.svg", figure=FIGURES),
        runs=run_files("models", "run.yaml"),
        template="rem/report/page.html.j2",
        explorer=linked_explorer,
    output:
        "results/{name}/report.html",
    log:
        "results/{name}/logs/report.log",
    conda:
        "../../environment.yml"
    params:
        code=code("report"),
        timings="results/{name}/benchmarks",
    shell:
        """
        rem report {output:q} \
            --tables {input.tables:q} \
            --metrics {input.metrics:q} \
            --claims {input.claims:q} \
            --figures {input.figures:q} \
            --runs {input.runs:q} \
            --timings {params.timings:q} \
            --name {wildcards.name:q} \
            >{log:q} 2>&1
        """


rule explore:
    input:
        couplings=couplings_files(),
        levels=levels_files(),
        metrics="results/{name}/metrics.csv",
        models=run_files("models", "last.pt"),
        runs=run_files("models", "run.yaml"),
        data=prepared_files,
        probes=f"results/{CONFIG.name}/probes.csv" if PROBED else [],
    output:
        "results/{name}/explorer.html",
    log:
        "results/{name}/logs/explore.log",
    benchmark:
        "results/{name}/benchmarks/explore.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("explore"),
        page=page_digest,
        experiments=experiments_digest,
    shell:
        """
        rem explore results/{wildcards.name:q} \
            >{log:q} 2>&1
        """
