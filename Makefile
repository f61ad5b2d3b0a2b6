PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOWEST := .venv-lowest
PEERS := .venv-peers
PARALLEL := --numprocesses=auto --maxprocesses=16 --dist=worksteal

SECONDS := 60
PYTHONS := python3.11 python3.12 python3.13

.PHONY: run frameworks editors test lint types tests test-lowest test-pythons fuzz signals nightly bench peers schema index reports site site-wheel playground clean

run: $(READY)  ## set up and print the first table
	@$(BIN)/mbprof table mobilenet_v1

# torchvision and timm need next to nothing of what they declare.
frameworks: $(VENV)/.frameworks  ## install what the tests beside PyTorch and Keras run; without it they are skipped

$(VENV)/.frameworks: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt torch keras
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --constraint constraints.txt torchvision timm
	touch $@

editors: tests/editors/node_modules/.package-lock.json  ## install what the tests of editors run; without it they are skipped

tests/editors/node_modules/.package-lock.json: tests/editors/package-lock.json
	cd tests/editors && npm ci --no-audit --no-fund
	touch $@

test: $(READY)  ## everything that has to hold, on all processors
	@$(MAKE) --no-print-directory --jobs=3 lint types tests

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

tests: $(READY)
	$(BIN)/python -m pytest $(PARALLEL)

test-lowest: $(LOWEST)/.ready  ## the tests of cases and features with the oldest libraries allowed
	$(LOWEST)/bin/python -m pytest $(PARALLEL) tests/cases tests/features

test-pythons:  ## the tests of cases and features with each of PYTHONS and the newest libraries
	for python in $(PYTHONS); do \
	  $$python -m venv --clear .venv-other && \
	  .venv-other/bin/python -m pip install --quiet --disable-pip-version-check uv && \
	  .venv-other/bin/uv pip install --quiet --python .venv-other --editable '.[dev]' && \
	  .venv-other/bin/python -m pytest $(PARALLEL) tests/cases tests/features || exit 1; \
	done

fuzz: $(READY)  ## search for inputs that break something: SECONDS=600 SEED=7 for more, or again
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

signals: $(READY)  ## end commands at random moments and look for what is left: TIMES=20 for fewer
	$(BIN)/python -m tests.fuzz.signals $(if $(TIMES),--times $(TIMES)) $(if $(SEED),--seed $(SEED))

nightly: $(VENV)/.frameworks  ## every network of the zoo exported, run and read again, and built at every size; those of timm read; 10,000 random networks counted by frameworks
	$(BIN)/python -m tests.independent.nightly
	$(BIN)/python -m tests.independent.sizes_everywhere
	EXAMPLES=10000 $(BIN)/python -m pytest $(PARALLEL) tests/independent/test_differential.py tests/independent/test_spaces.py

bench: $(READY)  ## speed and memory, as ratios within one run
	$(BIN)/python bench/bench.py

peers: $(READY) $(PEERS)/.ready  ## what other counters take for a network, into the table of the README
	$(BIN)/python bench/peers.py $(PEERS)/bin/python

# What they stand on is newest, but for PyTorch, which is that of the tests.
$(PEERS)/.ready: constraints.txt
	$(PYTHON) -m venv --clear $(PEERS)
	grep '^torch==' constraints.txt > $(PEERS)/constraints.txt
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint $(PEERS)/constraints.txt torch torchinfo fvcore ptflops thop calflops transformers onnx-tool
	touch $(PEERS)/.ready

schema: $(READY)  ## regenerate the JSON Schema for editors
	$(BIN)/mbprof schema -o specs/spec.schema.json

index: $(READY)  ## regenerate what mbprof list and explain --number --all read
	$(BIN)/python -c "from mbprof.pages.catalogue import index_of_the_zoo as made; text = made(); \
	  open('specs/index.csv', 'w', encoding='utf-8').write(text)"
	for file in totals claimed; do \
	  $(BIN)/python -c "from mbprof.published.$$file import written as made; text = made(); \
	    open('specs/$$file.csv', 'w', encoding='utf-8').write(text)" || exit 1; \
	done

reports: $(READY)  ## regenerate the committed reports
	$(BIN)/mbprof report --all reports

site: $(VENV)/.site  ## build the documentation site in site/build, with the playground where there is one
	$(BIN)/python site/make.py
	$(if $(wildcard site/playground),$(MAKE) --no-print-directory playground)

site-wheel: site  ## the built site as a package for mbprof serve, in dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --wheel-dir dist ./site

$(VENV)/.site: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[site]'
	touch $@

PLAYGROUND := site/build/playground

playground: $(READY) site/playground/node_modules/.ready  ## build the page where a network is typed
	rm -rf build/wheel build/playground && mkdir -p build/playground site/build
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --wheel-dir build/wheel .
	$(BIN)/python site/playground/pack.py build/wheel/mbprof-*.whl build/playground/python.zip
	cd site/playground && node build.mjs ../../build/playground
	rm -rf $(PLAYGROUND) && mv build/playground $(PLAYGROUND)

# The bundler needs no script of its own to be run at installation.
site/playground/node_modules/.ready: site/playground/package-lock.json
	cd site/playground && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

clean:
	rm -rf $(VENV) $(LOWEST) $(PEERS) .venv-other build dist site/build .mypy_cache .pytest_cache .ruff_cache

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

# The lower bound of each library that pyproject.toml names, found by uv in seconds. What the old ones
# stand on is newest, but for two that warn of how they are called.
$(LOWEST)/.ready: pyproject.toml
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	printf 'click<8.3\npyparsing<3.3\n' > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct \
	  --constraints $(LOWEST)/constraints.txt --editable '.[dev]'
	touch $(LOWEST)/.ready
