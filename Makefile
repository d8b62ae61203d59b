# Everything a person types here. `make` alone lists it.
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
DATA ?= hilum-data
HTTP ?= 127.0.0.1:8080
DIMSE ?= 127.0.0.1:11112
AET ?= HILUM
CONFIG ?= examples/laptop.toml
VIEWER ?= build/viewer
# Workers that share the test suite; 0 runs it in one process.
JOBS ?= 2
# Further words for pytest, e.g. make test ARGS="tests/unit -k names"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run viewer test lint format bench bench-arrival bench-ingest bench-dimse bench-web bench-servers fuzz torture constraints clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  settings for run: DATA=$(DATA) HTTP=$(HTTP) DIMSE=$(DIMSE) AET=$(AET) CONFIG=$(CONFIG)"

run: $(VENV)/.runtime ## start the archive; a new data folder gets pydicom's sample files first
	@exec $(PY) scripts/run.py --data "$(DATA)" --http "$(HTTP)" --dimse "$(DIMSE)" --aet "$(AET)" --config "$(CONFIG)" --viewer "$(VIEWER)"

viewer: $(VENV)/.runtime ## fetch the OHIF viewer with npm; `make run` then serves it at /viewer/
	@$(PY) scripts/viewer.py $(VIEWER)

test: lint peers ## lint, then every test (short torture included)
	$(PY) -m pytest -n $(JOBS) $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy --strict, import contracts
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(VENV)/.dev ## put the source into its one format
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

bench: bench-ingest bench-dimse bench-web ## all that is timed beside a peer, one after the other

bench-ingest: $(VENV)/.dev peers ## time ingest beside DCMTK's storescp; writes bench/results/*.json
	$(PY) tests/bench/ingest.py

bench-dimse: $(VENV)/.dev peers ## time DIMSE beside Orthanc and DCMTK; writes bench/results and docs/performance.md
	$(PY) tests/bench/dimse.py

bench-web: $(VENV)/.dev peers ## time DICOMweb beside Orthanc (Debian: orthanc orthanc-dicomweb orthanc-gdcm wrk)
	$(PY) tests/bench/web.py

bench-arrival: $(VENV)/.dev ## where the time of an arriving object goes
	$(PY) tests/bench/arrival.py

bench-servers: $(VENV)/.dev ## time uvicorn beside granian, which is fetched for it (Debian: wrk)
	@test -d build/granian || $(PY) -m pip install -q --no-deps --target build/granian granian==2.8.7
	$(PY) tests/bench/servers.py

fuzz: $(VENV)/.dev ## schemathesis against the OpenAPI document; it is fetched for it
	@test -d build/schemathesis || { $(PY) -m venv build/schemathesis && build/schemathesis/bin/pip install -q schemathesis==4.32.5; }
	$(PY) tests/fuzz/openapi.py

torture: $(VENV)/.dev peers ## the long form of the kill and load tests (an hour)
	HILUM_TORTURE=1 $(PY) -m pytest -m torture -p no:randomly -s $(ARGS)

constraints: ## pin the newest dependencies again (needs uv)
	uv pip compile $(PINNED) --extra build pyproject.toml -o constraints.txt
	uv pip compile $(PINNED) --extra build --extra dev -c constraints.txt pyproject.toml -o constraints-dev.txt

clean: ## remove what was built here, never data
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: peers
peers: $(VENV)/.dev
	@sh scripts/peers.sh $(PY)

PINNED := --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-config -q

# The environment is made anew by pip whenever what it is made of changes.
$(VENV)/.runtime: constraints.txt pyproject.toml scripts/environment.sh
	@sh scripts/environment.sh $(VENV) constraints.txt
	@touch $@

$(VENV)/.dev: constraints-dev.txt constraints.txt pyproject.toml scripts/environment.sh
	@sh scripts/environment.sh $(VENV) constraints-dev.txt
	@touch $@ $(VENV)/.runtime
