# Every target makes its own virtual environment when there is none; no server has to run for any of them.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
SPARK := .venv-spark
SPARK_STAMP := $(SPARK)/.installed
REQUIREMENTS := requirements.txt requirements-dev.txt $(filter-out requirements/spark.txt,$(wildcard requirements/*.txt))
# Settings that mypy's Django plugin can load; nothing connects to them.
CHECK_ENVIRONMENT := DATABASE_URL=postgresql://x REDIS_URL=redis://x CACHE_URL=redis://x \
	SECRET_KEY=0123456789abcdef0123456789abcdef
# The Python client is a package of its own, read from here by everything that checks it.
CLIENT := clients/python/src
DURATIONS := --durations=15
# What fails beside other tests is run once more by itself.
PYTEST := $(BIN)/python -m tests.again $(DURATIONS)
# A process for each processor; Redis has 16 databases to share out.
PARALLEL := --numprocesses auto --maxprocesses 8 --no-loadscope-reorder
INSTANCE := $(if $(VAR),--var $(VAR))
LISTEN := $(if $(PORT),--port $(PORT))
# Where Python keeps no compiled files, each of a run's many processes compiles the project and the tests again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-spark demo demo-bulk demo-upgrade up down doctor test test-unit test-service test-faults fuzz chaos chaos-planted check format bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## make .venv with everything in it
	@echo "'make up' starts the service, 'make demo' also loads a real corpus and searches it"

$(STAMP): $(REQUIREMENTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, try make PYTHON=python3.11")'
	@$(PYTHON) -m supervisor.packages
	@touch $@

setup-spark: $(STAMP) $(SPARK_STAMP) ## make .venv-spark, for bulk jobs on Spark

# What .venv has is not installed twice: a .pth file shows it to this environment.
$(SPARK_STAMP): requirements/spark.txt requirements/bulk.txt | $(STAMP)
	$(BIN)/python -m venv $(SPARK)
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$(echo $(SPARK)/lib/python3*/site-packages)/project.pth
	$(SPARK)/bin/python -m pip install --quiet -r requirements/spark.txt
	@touch $@

demo: $(STAMP) ## start everything, load a real corpus, search it
	@$(BIN)/python manage.py demo $(INSTANCE) $(LISTEN)

demo-bulk: $(STAMP) ## the demo, its corpus loaded by a bulk job
	@$(BIN)/python manage.py demo --bulk $(INSTANCE) $(LISTEN)

demo-upgrade: $(STAMP) ## the demo, then a second model version under live searches
	@$(BIN)/python manage.py demo --upgrade $(INSTANCE) $(LISTEN)

up: $(STAMP) ## start the service (PORT=8000 VAR=var), Ctrl-C stops it
	@$(BIN)/python manage.py up $(INSTANCE) $(LISTEN)

down: $(STAMP) ## stop a service that runs elsewhere (VAR=var)
	@$(BIN)/python manage.py down $(INSTANCE)

doctor: $(STAMP) ## what this machine has and lacks
	@$(BIN)/python manage.py doctor $(INSTANCE) $(LISTEN)

test: test-unit test-service test-faults ## every test; starts and stops what it needs

test-unit: $(STAMP) ## the tests that need no server: seconds
	$(PYTEST) $(PARALLEL) tests/unit

test-service: $(STAMP) $(SPARK_STAMP) ## the tests that use real servers and a whole instance
	$(PYTEST) $(PARALLEL) tests/integration tests/acceptance

test-faults: $(STAMP) ## the tests that kill, freeze and cut off, one after the other
	$(BIN)/python -m pytest $(DURATIONS) tests/faults

fuzz: $(STAMP) ## 500 random requests for each operation of the OpenAPI document (FUZZ_CASES=500)
	FUZZ_CASES=$(or $(FUZZ_CASES),500) $(BIN)/python -m pytest tests/acceptance/test_schema_fuzzing.py

chaos: $(STAMP) ## faults at random against a real instance (CHAOS_SECONDS=300 CHAOS_SEED=n)
	$(BIN)/python -m tests.chaos

chaos-planted: $(STAMP) ## plant bugs one by one; a check must catch each
	$(BIN)/python -m tests.chaos --planted all

check: $(STAMP) ## formatting, lint, types, import rules, image and manifests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(CHECK_ENVIRONMENT) $(BIN)/mypy
	PYTHONPATH=$(CLIENT) $(BIN)/lint-imports --no-logo
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/kubernetes-validate --strict --quiet $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/base/*.yaml))

format: $(STAMP) ## let ruff format and mend the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) ## measure this service beside its peers
	$(BIN)/python -m benchmarks

clean: ## remove .venv and caches; the data in var stays
	rm -rf .venv build $(SPARK) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
