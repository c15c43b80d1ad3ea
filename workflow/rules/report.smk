# All that `all` makes, as one HTML file to read.


localrules:
    report_html,


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
