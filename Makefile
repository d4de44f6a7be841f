# The verbs of the project. Everything is set up in .venv with python3 -m venv and pip; Label Studio, for the tests, in .studio.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench quality extractors clean

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train]'
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

.studio/venv/ready: trainer/studio/constraints.txt
	$(PYTHON) -m venv .studio/venv
	.studio/venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint $< label-studio
	touch $@

.studio/template: .studio/venv/ready | .venv/ready-dev
	$(BIN)/python tests/studio_server.py
	touch $@

demo: .venv/ready  ## train a quick model on labels/, evaluate, filter the four seed articles and show what was removed
	$(BIN)/trainer train labels --config configs/fast.toml --out models/demo --force
	$(BIN)/trainer evaluate labels --config configs/fast.toml
	$(BIN)/trainer filter seeds --model models/demo --diff

test: .venv/ready-dev .studio/template extractors  ## run all tests; at most two workers have a Label Studio
	$(BIN)/python -m pytest -n auto --dist loadgroup

lint: .venv/ready-dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready-dev  ## speed and start-up tables
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/throughput.py

quality: .venv/ready-dev  ## quality table on annotated pages, with peers and ablations: about an hour
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/quality.py

extractors: .extractors/trafilatura/ready .extractors/newspaper4k/ready .extractors/resiliparse/ready .extractors/s3/ready  ## what the tests of extractors and object stores need

# Each in an environment of its own: what they pin does not agree.
.extractors/%/ready: tests/extractors/%.txt
	$(PYTHON) -m venv .extractors/$*/venv
	.extractors/$*/venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

clean:
	rm -rf .extractors .venv .studio/venv .studio/template models/demo build dist
