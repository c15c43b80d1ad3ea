#!/usr/bin/env bash
# tests/snakemakes.sh: trains a network under the lowest and the highest Snakemake that pyproject.toml allows, each fetched
# into a temporary folder and used for this alone. What a version lacks that the workflow counts on is told by its name.
set -euo pipefail
cd "$(dirname "$0")/.."

bounds=$(sed -n 's/.*"snakemake\(>=[^"]*\)".*/\1/p' pyproject.toml) # >=lowest,<beyond
lowest=${bounds%%,*}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for version in "==${lowest#>=}" "$bounds"; do
    rm -rf "$folder"/*
    python -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder/packages" "snakemake$version"
    python -c 'import pathlib, sys; from benchmarks.copies import copied; copied(pathlib.Path(sys.argv[1]))' "$folder/project"
    (
        export PYTHONPATH=$folder/packages:$folder/project
        cd "$folder/project"
        echo "Snakemake $(python -m snakemake --version)"
        command=(python -m snakemake --configfile config/smoke.yaml --cores 2)
        network=results/smoke/models/shapes/rem/seed42/last.pt
        "${command[@]}" --resources gpu=1 "$network"
        "${command[@]}" --dry-run "$network" | grep "Nothing to be done"
        test -f results/smoke/models/.metadata/shapes/rem/seed42/last.pt
    )
done
