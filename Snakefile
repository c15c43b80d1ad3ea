"""REM, routing entropy minimization for Capsule Networks: from images to the paper's tables and figures.

Targets: all (the default), data, models, couplings, entropies; controls, dose_response, iterations, course, viewpoints;
trees, structured, architectures, sharpen (of config/networks.yaml); report_html, explorer. `rem schema` explains the keys
of a config.
"""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/private.smk"


if (project := Path(workflow.basedir).resolve()) != Path.cwd():
    raise WorkflowError(f"{Path.cwd()} is not the project's folder; give the same command in {project}.")


configfile: "config/config.yaml"


if not of_workflow("overwrite_configfiles"):  # what --configfile names

    configfile: "config/sample.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/under_dvc.smk"
include: "workflow/rules/interrupted.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/couplings.smk"
include: "workflow/rules/entropy.smk"
include: "workflow/rules/probes.smk"
include: "workflow/rules/decoder.smk"
include: "workflow/rules/results.smk"
include: "workflow/rules/experiments.smk"
include: "workflow/rules/report.smk"


localrules:
    all,
    data,
    models,
    couplings,
    entropies,
    controls,
    dose_response,
    iterations,
    course,
    trees,
    structured,
    architectures,
    sharpen,
    viewpoints,


rule all:
    default_target: True
    input:
        results_files(),


rule data:
    input:
        prepared_files,


rule models:
    input:
        run_files("models", "last.pt"),


rule couplings:
    input:
        couplings_files(),


rule entropies:
    input:
        entropy_files(),
        sweep_files(),


rule controls:
    input:
        controls_files,


rule dose_response:
    input:
        dose_response_files,


rule iterations:
    input:
        iterations_files,


rule course:
    input:
        course_files,


rule trees:
    input:
        trees_files,


rule structured:
    input:
        structured_files,


rule architectures:
    input:
        architectures_files,


rule sharpen:
    input:
        sharpen_files,


rule viewpoints:
    input:
        viewpoints_files,


onsuccess:
    in_part = any(of_workflow(f"dag_settings.{limit}") for limit in ("until", "omit_from", "batch"))
    if set(of_workflow("dag_settings.targets")) <= {"all"} and not in_part:
        shell("rem headline results/{CONFIG.name}/tables/summary.json --name {CONFIG.name}")
