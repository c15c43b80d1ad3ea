# `make reproduce` and `make test` need nothing but Python 3.11 or later, make and git.

PYTHON ?= python3
VENV := .venv
# The cores that may be used, which a limit on the threads of other programs does not change.
CORES ?= $(shell $(VENV)/bin/python -c 'from rem.files.machine import cores; print(cores())')
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help reproduce laptop report explore test test-slurm test-snakemakes bench lint environment clean

help:  ## what can be made
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

reproduce: environment  ## the main job: results/sample/
	snakemake --cores $(CORES) --resources gpu=1 all

laptop: environment  ## the paper's data in full, small networks, hours: results/laptop/
	rem estimate config/config.yaml config/laptop.yaml --cores $(CORES)
	snakemake --cores $(CORES) --resources gpu=1 --configfile config/laptop.yaml

report: environment  ## the main job as one file to read: results/sample/report.html
	snakemake --cores $(CORES) --resources gpu=1 report_html

explore: environment  ## the main job's parse trees to browse: results/sample/explorer.html
	snakemake --cores $(CORES) --resources gpu=1 explorer

test: environment lint  ## all tests, a file in each of up to four processes
	pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-slurm: environment  ## half the smoke config through a Slurm of one node, which it boots from Debian's packages
	tests/slurm.sh pytest tests/workflow/test_slurm.py

test-snakemakes: environment  ## the lowest and the highest Snakemake that pyproject.toml allows, fetched for this alone
	tests/snakemakes.sh

bench: environment  ## speed against a textbook form, growth of time and memory: results/bench/
	python -m benchmarks.speed results/bench
	python -m benchmarks.growth results/bench

lint: environment  ## style and common mistakes, of everything
	ruff format --check .
	ruff check .
	oxfmt --check rem/report/explorer
	oxlint --deny-warnings rem/report/explorer
	snakefmt --check Snakefile workflow
	snakemake --lint

environment: $(VENV)/installed  ## the packages, in .venv

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements.lock
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

clean:  ## removes what the main job made, and no other results
	rm -rf results/sample data/prepared/sample
