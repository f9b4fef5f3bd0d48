# `make demo` and `make test` set everything up by themselves; nothing outside .venv is touched.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STUDY = benchmarks/trajectories/digits.toml
JOBS ?= 2

.PHONY: setup demo test test-long test-engines coverage lint docs clean

setup: $(BIN)/.installed

# torch first, at the version the project is tested with, so that nothing later pulls another build
$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev,docs]'
	touch $@

demo: setup
	$(BIN)/harness run $(STUDY) --jobs $(JOBS)
	$(BIN)/harness plot $(STUDY)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

# which lines the suite runs; of a part: make coverage PART=tests/results
PART = tests
coverage: setup
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term $(PART)

# what takes minutes: a real SLURM (apt-get install slurm-wlm munge), Ray (pip install ray), and a short soak
test-engines: setup
	$(BIN)/python -m pytest -m engines tests/runs

# more of what `make test` looks at in part: every method on a second space, every pair of parts, the attack's cases by hand
test-long: setup
	$(BIN)/python -m pytest -n $(JOBS) -m long

# the site, in build/docs: strict, offline, nothing from elsewhere; open build/docs/index.html
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean:
	rm -rf $(VENV) results/runs build *.egg-info
