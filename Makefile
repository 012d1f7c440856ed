# Each target makes .venv from requirements.txt first if it is missing or older.

SCALE ?= paper
CORES ?= all
PYTHON ?= python3
# More of the configuration for `make check`, such as CONFIG="papers=palacio2025 seeds=0".
CONFIG ?=
# More for `make bench`, such as BENCH="--rounds 5".
BENCH ?=

BIN := .venv/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
LATEX := latexmk texlive-latex-recommended texlive-latex-extra texlive-fonts-recommended lmodern poppler-utils

.DEFAULT_GOAL := help
.PHONY: help report check accept readme test bench lint format latex clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
	while IFS='|' read -r target text; do printf '  make %-10s %s\n' "$$target" "$$text"; done

.venv/installed: requirements.txt
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

report: .venv/installed  ## train what is missing and write results/SCALE/report.* (SCALE=smoke: a first look)
	$(BIN)/snakemake --cores $(CORES) --config scale=$(SCALE)

test: .venv/installed latex  ## run all tests, the workflow at smoke scale among them
	$(BIN)/python -m pytest

.venv/bench: requirements-bench.txt .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	touch $@

bench: .venv/bench  ## measure training speed against a notebook and Lightning, and what the workflow costs
	$(BIN)/snakemake --cores $(CORES) -- fetch_dataset
	PYTHONPATH=workflow:tests $(BIN)/python tests/bench --dataset results/dataset/paper.safetensors \
	  --out results/bench.json $(BENCH)

lint: .venv/installed  ## check style, the order of the rooms, and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	PYTHONPATH=workflow $(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/basedpyright --pythonpath $(BIN)/python

format: .venv/installed  ## let ruff and snakefmt tidy
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/rules

check accept: SCALE = smoke

check: .venv/installed  ## run everything anew and compare it with results/reference/SCALE (default: smoke)
	$(BIN)/snakemake --cores $(CORES) --config scale=$(SCALE) $(CONFIG) --forceall -- check

accept: .venv/installed  ## make the runs in results/SCALE the reference (default: smoke)
	$(BIN)/snakemake --cores $(CORES) --config scale=$(SCALE) -- reference

readme: .venv/installed  ## write the scorecard of results/reference/paper into the README
	PYTHONPATH=workflow $(BIN)/python -m refashion readme

latex:  ## install LaTeX and poppler with apt if latexmk or pdftotext is missing
	@command -v latexmk >/dev/null && command -v pdftotext >/dev/null || { \
	  echo "installing LaTeX and poppler, which the tests render and read the report with"; \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) apt-get install -y -qq --no-install-recommends $(LATEX) >/dev/null; }

clean:  ## remove .venv and the caches; results stay
	rm -rf .venv .pytest_cache .ruff_cache
