# Experiments whose results are files of their own, results/<name>/<experiment>/. Each has a target: `controls`, which
# part of REM does the work, `dose_response`, whether its shrinkage or its zeros do, `iterations`, whether routing does
# anything, `course`, how a training goes, epoch by epoch, `trees`, what fewer connections make of the trees,
# `structured`, what smaller networks lose and win, `architectures`, what other networks and routings do, `sharpen`, a
# loss of the couplings, and `viewpoints`, poses never trained on. What a rule here makes of one, it makes of any.


use rule metrics as experiment_metrics with:
    input:
        couplings=experiment_couplings,
        entropies=experiment_entropies,
        sweeps=experiment_sweeps,
        levels=experiment_levels,
    output:
        "results/{name}/{experiment}/metrics.csv",
    log:
        "results/{name}/logs/{experiment}/metrics.log",
    benchmark:
        "results/{name}/benchmarks/metrics/{experiment}.tsv"


rule controls_table:
    input:
        metrics="results/{name}/{experiment}/metrics.csv",
        runs=experiment_settings,
    output:
        expand("results/{{name}}/{{experiment}}/table_controls.{suffix}", suffix=["csv", "md", "tex"]),
    log:
        "results/{name}/logs/{experiment}/table.log",
    benchmark:
        "results/{name}/benchmarks/table/{experiment}.tsv"
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


use rule resample as experiment_resample with:
    input:
        dictionaries=experiment_dictionaries,
    output:
        "results/{name}/{experiment}/images/{dataset}.csv",
    log:
        "results/{name}/logs/{experiment}/resample-{dataset}.log",
    benchmark:
        "results/{name}/benchmarks/resample/{experiment}-{dataset}.tsv"


use rule claims as experiment_claims with:
    input:
        metrics="results/{name}/{experiment}/metrics.csv",
        runs=experiment_settings,
        images=experiment_images,
        trajectory=[],
        equivariance=[],
        accuracies=[],
        probes=experiment_claims_probes,
    output:
        expand("results/{{name}}/{{experiment}}/claims.{suffix}", suffix=["csv", "md"]),
    log:
        "results/{name}/logs/{experiment}/claims.log",
    benchmark:
        "results/{name}/benchmarks/claims/{experiment}.tsv"
    params:
        folder=input_folder,
        dataset=CONFIG.figures.dataset,
        trajectory=[],
        equivariance=[],
        accuracies=[],
        probes=probes_option,


use rule figure as controls_figure with:
    input:
        metrics="results/{name}/{experiment}/metrics.csv",
        runs=experiment_settings,
    output:
        "results/{name}/{experiment}/controls.png",
        "results/{name}/{experiment}/controls.svg",
    log:
        "results/{name}/logs/{experiment}/figure.log",
    benchmark:
        "results/{name}/benchmarks/figure/{experiment}.tsv"
    params:
        code=code("figure controls"),
        which="controls",
        stem=output_stem,
        words=input_words,


rule dose_response_table:
    input:
        metrics="results/{name}/{experiment}/metrics.csv",
        runs=experiment_settings,
        histories=experiment_histories,
    output:
        expand(
            "results/{{name}}/{{experiment}}/{table}.{suffix}",
            table=["dose_response", "regression"],
            suffix=["csv", "md", "tex"],
        ),
    log:
        "results/{name}/logs/{experiment}/dose_response.log",
    benchmark:
        "results/{name}/benchmarks/dose_response/{experiment}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("dose-response"),
        folder=input_folder,
    shell:
        """
        rem dose-response {params.folder:q} \
            --metrics {input.metrics:q} \
            --runs {input.runs:q} \
            --histories {input.histories:q} \
            >{log:q} 2>&1
        """


use rule figure as dose_response_figure with:
    input:
        "results/{name}/{experiment}/dose_response.csv",
    output:
        "results/{name}/{experiment}/dose_response.png",
        "results/{name}/{experiment}/dose_response.svg",
    log:
        "results/{name}/logs/{experiment}/dose_response_figure.log",
    benchmark:
        "results/{name}/benchmarks/dose_response_figure/{experiment}.tsv"
    params:
        code=code("figure dose_response"),
        which="dose_response",
        stem=output_stem,
        words=input_words,


rule course_table:
    input:
        trajectories=experiment_trajectories,
        histories=experiment_histories,
        runs=experiment_settings,
    output:
        expand("results/{{name}}/{{experiment}}/course.{suffix}", suffix=["csv", "md", "tex"]),
    log:
        "results/{name}/logs/{experiment}/course.log",
    benchmark:
        "results/{name}/benchmarks/course/{experiment}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("course"),
        folder="results/{name}/{experiment}",
    shell:
        """
        rem course {params.folder:q} \
            --trajectories {input.trajectories:q} \
            --histories {input.histories:q} \
            --runs {input.runs:q} \
            >{log:q} 2>&1
        """


use rule figure as course_figure with:
    input:
        "results/{name}/{experiment}/course.csv",
    output:
        "results/{name}/{experiment}/course.png",
        "results/{name}/{experiment}/course.svg",
    log:
        "results/{name}/logs/{experiment}/course_figure.log",
    benchmark:
        "results/{name}/benchmarks/course_figure/{experiment}.tsv"
    params:
        code=code("figure course"),
        which="course",
        stem=output_stem,
        words=input_words,


use rule probes as experiment_probes with:
    input:
        metrics="results/{name}/{experiment}/metrics.csv",
        probes=experiment_probe_files,
        runs=experiment_settings,
    output:
        "results/{name}/{experiment}/probes.csv",
        "results/{name}/{experiment}/tables/probes.csv",
        "results/{name}/{experiment}/tables/probes.md",
    log:
        "results/{name}/logs/{experiment}/probes.log",
    benchmark:
        "results/{name}/benchmarks/probes/{experiment}.tsv"


rule trees_table:
    input:
        metrics="results/{name}/{experiment}/metrics.csv",
        probes="results/{name}/{experiment}/probes.csv",
        runs=experiment_settings,
    output:
        expand("results/{{name}}/{{experiment}}/trees.{suffix}", suffix=["csv", "md", "tex"]),
    log:
        "results/{name}/logs/{experiment}/trees.log",
    benchmark:
        "results/{name}/benchmarks/trees/{experiment}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("trees"),
        folder=input_folder,
    shell:
        """
        rem trees {params.folder:q} \
            --metrics {input.metrics:q} \
            --probes {input.probes:q} \
            --runs {input.runs:q} \
            >{log:q} 2>&1
        """


use rule figure as tree_densities_figure with:
    input:
        "results/{name}/{experiment}/trees.csv",
    output:
        "results/{name}/{experiment}/tree_densities.png",
        "results/{name}/{experiment}/tree_densities.svg",
    log:
        "results/{name}/logs/{experiment}/tree_densities.log",
    benchmark:
        "results/{name}/benchmarks/tree_densities/{experiment}.tsv"
    params:
        code=code("figure tree_densities"),
        which="tree_densities",
        stem=output_stem,
        words=input_words,


use rule figure as experiment_frontier with:
    input:
        "results/{name}/{experiment}/probes.csv",
        experiment_settings,
    output:
        "results/{name}/{experiment}/frontier.png",
        "results/{name}/{experiment}/frontier.svg",
    log:
        "results/{name}/logs/{experiment}/frontier.log",
    benchmark:
        "results/{name}/benchmarks/frontier/{experiment}.tsv"
    params:
        code=code("figure frontier"),
        which="frontier",
        stem=output_stem,
        words=input_words,


rule speed_table:
    input:
        checkpoints=experiment_checkpoints,
        data="data/prepared/{name}/{dataset}.h5",
    output:
        expand("results/{{name}}/{{experiment}}/speed/{{dataset}}.{suffix}", suffix=["csv", "md", "tex"]),
    log:
        "results/{name}/logs/{experiment}/speed-{dataset}.log",
    benchmark:
        "results/{name}/benchmarks/speed/{experiment}-{dataset}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpu_slots,
        gres=gpu_shards,
    params:
        code=code("speed"),
        stem=output_stem,
        device=CONFIG.device,
    shell:
        """
        rem speed {params.stem:q} \
            --checkpoints {input.checkpoints:q} \
            --data {input.data:q} \
            --device {params.device} \
            --threads {threads} \
            >{log:q} 2>&1
        """


use rule figure as structured_figure with:
    input:
        experiment_speeds,
    output:
        "results/{name}/{experiment}/structured.png",
        "results/{name}/{experiment}/structured.svg",
    log:
        "results/{name}/logs/{experiment}/structured_figure.log",
    benchmark:
        "results/{name}/benchmarks/structured_figure/{experiment}.tsv"
    params:
        code=code("figure structured"),
        which="structured",
        stem=output_stem,
        words=input_words,


rule architectures_table:
    input:
        metrics="results/{name}/{experiment}/metrics.csv",
        probes="results/{name}/{experiment}/probes.csv",
        runs=experiment_settings,
        architectures=experiment_architectures,
    output:
        expand("results/{{name}}/{{experiment}}/architectures.{suffix}", suffix=["csv", "md", "tex"]),
    log:
        "results/{name}/logs/{experiment}/architectures.log",
    benchmark:
        "results/{name}/benchmarks/architectures/{experiment}.tsv"
    conda:
        "../../environment.yml"
    params:
        code=code("architectures"),
        folder=input_folder,
    shell:
        """
        rem architectures {params.folder:q} \
            --metrics {input.metrics:q} \
            --probes {input.probes:q} \
            --runs {input.runs:q} \
            >{log:q} 2>&1
        """


use rule figure as architectures_figure with:
    input:
        "results/{name}/{experiment}/architectures.csv",
    output:
        "results/{name}/{experiment}/architectures.png",
        "results/{name}/{experiment}/architectures.svg",
    log:
        "results/{name}/logs/{experiment}/architectures_figure.log",
    benchmark:
        "results/{name}/benchmarks/architectures_figure/{experiment}.tsv"
    params:
        code=code("figure architectures"),
        which="architectures",
        stem=output_stem,
        words=input_words,
