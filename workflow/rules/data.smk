# Dataset files from their official addresses or a mirror, and one HDF5 file of splits per dataset.


rule fetch:
    output:
        "data/raw/{source}/{file}",
    log:
        "data/raw/{source}/{file}.log",
    benchmark:
        "data/raw/{source}/{file}.benchmark.tsv"
    retries: 2
    conda:
        "../../environment.yml"
    params:
        mirror=f"--mirror {MIRROR}" if MIRROR else "",
    shell:
        """
        rem fetch {wildcards.source:q} {output:q} \
            {params.mirror} \
            2>&1 | tee {log:q}
        """


rule data_settings:
    output:
        "data/prepared/{name}/{dataset}.yaml",
    log:
        "data/prepared/{name}/{dataset}.settings.log",
    conda:
        "../../environment.yml"
    params:
        text=data_settings_text,
    shell:
        "printf %s {params.text:q} > {output:q} 2> {log:q}"


rule prepare:
    input:
        settings="data/prepared/{name}/{dataset}.yaml",
        files=dataset_files,
        code=modules("data", "shapes"),
    output:
        "data/prepared/{name}/{dataset}.h5",
    log:
        "data/prepared/{name}/{dataset}.log",
    benchmark:
        "data/prepared/{name}/{dataset}.benchmark.tsv"
    conda:
        "../../environment.yml"
    shell:
        """
        rem prepare {input.settings:q} {output:q} \
            --files {input.files:q} \
            2>&1 | tee {log:q}
        """
