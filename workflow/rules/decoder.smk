# Decoders stacked on frozen networks, and what they draw when a pose is moved (Figure 8).


localrules:
    stacked_decoder_settings,


rule stacked_decoder_settings:
    output:
        "results/{name}/decoders/stacked_decoder.yaml",
    log:
        "results/{name}/logs/stacked_decoder_settings.log",
    conda:
        "../../environment.yml"
    params:
        text=stacked_settings_text,
    shell:
        "printf %s {params.text:q} > {output:q} 2> {log:q}"


rule stack_decoder:
    input:
        checkpoint=shown_checkpoint,
        settings="results/{name}/decoders/stacked_decoder.yaml",
        data="data/prepared/{name}/{dataset}.h5",
        architecture=architecture_file,
    output:
        "results/{name}/decoders/{dataset}/{variant}/seed{seed}/decoder.pt",
    log:
        "results/{name}/logs/stack_decoder/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/stack_decoder/{dataset}-{variant}-seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpu_slots,
        gres=gpu_shards,
    params:
        code=code("stack-decoder"),
        architecture=architecture_option,
        device=CONFIG.device,
    shell:
        """
        rem stack-decoder {input.checkpoint:q} {output:q} \
            --settings {input.settings:q} \
            --data {input.data:q} \
            {params.architecture:q} \
            --device {params.device} \
            --threads {threads} \
            >{log:q} 2>&1
        """


rule perturb:
    input:
        decoder="results/{name}/decoders/{dataset}/{variant}/seed{seed}/decoder.pt",
        data="data/prepared/{name}/{dataset}.h5",
        architecture=architecture_file,
    output:
        pictures="results/{name}/decoders/{dataset}/{variant}/seed{seed}/perturbations.h5",
        table="results/{name}/decoders/{dataset}/{variant}/seed{seed}/equivariance.csv",
    log:
        "results/{name}/logs/perturb/{dataset}-{variant}-seed{seed}.log",
    benchmark:
        "results/{name}/benchmarks/perturb/{dataset}-{variant}-seed{seed}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        gpu=gpu_slots,
        gres=gpu_shards,
    params:
        code=code("perturb"),
        architecture=architecture_option,
        folder=input_folder,
        device=CONFIG.device,
    shell:
        """
        rem perturb {input.decoder:q} {params.folder:q} \
            --data {input.data:q} \
            {params.architecture:q} \
            --device {params.device} \
            --threads {threads} \
            >{log:q} 2>&1
        """
