# What DVC would not see, or would find out after all trainings: refused before anything runs, where DVC runs this.

if os.getenv("DVC_STAGE"):
    if Path("results").is_symlink():
        raise WorkflowError(
            "results is a link, which DVC does not follow; run snakemake itself, or move the folder that it leads to here."
        )
    own = Path("data/own").resolve()
    for source, folder in {(run.data.source, run.data.folder) for run in RUNS.values() if run.data.folder}:
        if not Path(folder).exists():
            raise WorkflowError(
                f"data.folder is {folder}, which is not there; name the folder or archive of your images, or give it to "
                f"an experiment that runs elsewhere: dvc exp run --copy-paths {folder}"
            )
        try:  # DVC does not follow links to folders, and does not know what a CSV lists
            for place in sorted(source_files.image_folders(source, folder)):
                if own not in (place, *place.parents):
                    raise RemError(
                        f"images of data.folder {folder} lie in {place}, where DVC does not look for changes; move them "
                        "to data/own/, or run snakemake itself."
                    )
        except RemError as error:
            raise WorkflowError(str(error)) from None
    for network in {run.network.architecture: run.network for run in RUNS.values() if run.network.is_own}.values():
        if own not in network.own_file.resolve().parents:
            raise WorkflowError(
                f"network.architecture is {network.architecture}, where DVC does not look for changes; move the file to "
                "data/own/, or run snakemake itself."
            )
    if not (PROBED and figure_run("baseline") and figure_run("rem")):
        raise WorkflowError(
            "dvc.yaml keeps probes and figures of single networks, which this config does not make; let it select "
            "`baseline` and `rem` of figures.dataset with figures.seed, and name one of the two in `probed`, or run "
            "snakemake itself."
        )
