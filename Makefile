# Everything runs in .venv, which the first command sets up; nothing is set up twice.
PYTHON ?= python3
BIN := .venv/bin

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

demo: .venv/built ## train on scikit-learn's digits; print accuracy and speed, draw demo.png
	@$(BIN)/python -m fastnn demo $(ARGS)

test: .venv/built ## run the tests, on every backend (make test ARGS="-k article")
	$(BIN)/python -m pytest $(ARGS)

bench: .venv/built ## measure: training, into the documents; or what ARGS names (make bench ARGS=--help lists all)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-compare: .venv/built ## time the backends; fail if one is slower than the results kept in benchmarks/ by more than 10%
	@$(BIN)/python -m benchmarks compare $(ARGS)

bench-report: .venv/built ## draw the documents' tables and pictures again, from benchmarks/results-*.json
	@$(BIN)/python -m benchmarks report

docs: .venv/docs ## build the site into build/site, offline; a warning is an error
	$(BIN)/python -m sphinx --jobs 2 --fail-on-warning --keep-going --nitpicky --quiet -d build/doctrees docs build/site

docs-serve: docs ## show the site on http://localhost:8000
	$(BIN)/python -m http.server --directory build/site 8000

docs-test: docs ## open every page of the site in Chromium (Debian: apt install chromium)
	@$(BIN)/python -m pip install --quiet --group browser
	FASTNN_SITE=build/site $(BIN)/python -m pytest tests/site $(ARGS)

lint: .venv/installed ## check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tests/tools/house.py

wheels: .venv/installed ## build the sdist and the wheels into dist/
	@$(BIN)/python -m pip install --quiet --group wheels
	.ci/wheels $(BIN)/python

clean: ## remove .venv and whatever was built
	rm -rf .venv build dist *.egg-info kernels/_cython_* demo.png learn
	rm -rf docs/auto
	rm -rf .benchmarks .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find fastnn kernels tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# The extension is left to the next rule, which recompiles only what changed, and tries again after a failure.
.venv/installed: pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"fastnn needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@echo "installing fastnn and its tools into .venv ..."
	@FASTNN_REQUIRE_EXTENSION= FASTNN_NO_EXTENSION=1 PYTHONWARNINGS=ignore \
		$(BIN)/python -m pip install --quiet -e ".[all]" --group dev
	@touch $@

.venv/built: .venv/installed $(shell find kernels -name '*.py' -o -name '*.h')
	@echo "building the extension ..."
	@rm -f kernels/_cython_*.cpython-*.so # of before the stable ABI: they would be loaded first
	@$(BIN)/python setup.py --quiet build_ext --inplace
	@case "$$FASTNN_NO_EXTENSION" in ""|0) ls kernels/_cython_*.so >/dev/null 2>&1;; esac && touch $@ || true

.venv/docs: .venv/built
	@echo "installing Sphinx and its extensions into .venv ..."
	@$(BIN)/python -m pip install --quiet --group docs
	@touch $@

.PHONY: help demo test bench bench-compare bench-report docs docs-serve docs-test lint wheels clean
