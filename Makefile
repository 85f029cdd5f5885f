# `make` alone lists the verbs. The first one that needs packages makes .venv; see requirements/install.sh.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
# What an installed package set depends on; a stamp file older than these is made again.
PINNED := requirements/build.txt requirements/install.sh pyproject.toml

.PHONY: help
help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.embedded: requirements/embedded.txt $(PINNED)
	@requirements/install.sh embedded
	@touch $@

.venv/.dev: requirements/dev.txt $(PINNED)
	@requirements/install.sh dev
	@touch .venv/.embedded $@

# Recipes of one plain command are run without a shell, so that a signal sent to make reaches the command.
.PHONY: start
start: .venv/.embedded ## Serve on this machine, with a Postgres and a NATS of its own
	@$(BIN)/taskwire dev

.PHONY: demo
demo: .venv/.embedded ## Serve, run 500 tasks of all kinds before your eyes, stop
	@$(BIN)/taskwire demo

.PHONY: stop
stop: .venv/.embedded ## Stop what `make start` has started
	@$(BIN)/taskwire dev --stop

.PHONY: migrate
migrate: .venv/.embedded ## Bring the database at TASKWIRE_DATABASE_URL up to date
	@$(BIN)/taskwire migrate

.PHONY: migration
migration: .venv/.dev ## Draft a migration from the tables in the code: make migration NAME="Give a queue a colour"
	@$(BIN)/python migrations/draft.py "$(or $(NAME),$(error NAME says what the migration does))"

.PHONY: test
# Tests mostly wait, for leases to pass and servers to start, so there are more processes than cores.
TEST_PROCESSES ?= 3
test: .venv/.dev ## Run the tests (a Postgres and a NATS are started for them)
	@$(BIN)/python -m pytest --numprocesses=$(TEST_PROCESSES) --dist=loadfile

.PHONY: check
check: format-check lint types imports check-protos check-images check-docs models ## Check everything but the tests

.PHONY: format
format: .venv/.dev ## Format the code and the protos
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/buf format --write

.PHONY: format-check
format-check: .venv/.dev
	@$(BIN)/ruff format --check

.PHONY: lint
lint: .venv/.dev ## Lint the code
	@$(BIN)/ruff check

.PHONY: types
types: .venv/.dev ## Check the types
	@$(BIN)/mypy

.PHONY: imports
imports: .venv/.dev ## Check which component imports which
	@$(BIN)/lint-imports --no-logo

.PHONY: check-protos
check-protos: .venv/.dev
	@$(BIN)/buf lint
	@$(BIN)/buf format --diff --exit-code

.PHONY: check-images
check-images: .venv/.dev
	@$(BIN)/hadolint deploy/Dockerfile
	@deploy/check-compose.sh

.PHONY: check-docs
check-docs: .venv/.dev
	@$(BIN)/python docs/generate_api.py --check
	@$(BIN)/python docs/generate_configuration.py --check

.PHONY: models
models: ## Prove the models of the protocols, and that they need each of their mechanisms (needs spin and gcc)
	@models/check.sh

.PHONY: proto
proto: .venv/.dev ## Generate the stubs and docs/api.md from the protos
	@$(BIN)/python protos/generate.py
	@$(BIN)/python docs/generate_api.py

.PHONY: docs
docs: .venv/.dev ## Generate docs/api.md and docs/configuration.md
	@$(BIN)/python docs/generate_api.py
	@$(BIN)/python docs/generate_configuration.py

.PHONY: bench
bench: .venv/.dev ## Measure (about an hour), beside peers; SCENARIO=throughput measures one thing
	@PYTHONPATH=bench $(BIN)/python -m taskwire_bench $(SCENARIO)

.PHONY: bench-short
bench-short: .venv/.dev ## Measure a little; fails where Taskwire is far from what Postgres allows
	@PYTHONPATH=bench $(BIN)/python -m taskwire_bench --short throughput

.PHONY: bench-peers
bench-peers: .venv/.dev ## Install the task systems that `make bench` compares with, into bench/peers
	@bench/peers/install.sh

CHAOS = PYTHONPATH=chaos $(BIN)/python -m taskwire_chaos

.PHONY: chaos
# Always with the same seed, so that a change is judged and not the luck of the draw.
chaos: .venv/.dev ## Break everything for three minutes and check the promises; SEED=7 chooses other faults
	@$(CHAOS) run smoke --seed $(or $(SEED),11)

.PHONY: chaos-gate
chaos-gate: .venv/.dev ## Find every planted bug, then break everything for more than an hour (before a release)
	@$(CHAOS) bugs
	@$(CHAOS) run cluster $(if $(SEED),--seed $(SEED))
	@$(CHAOS) run standby $(if $(SEED),--seed $(SEED))
	@$(CHAOS) run overload $(if $(SEED),--seed $(SEED))
	@$(CHAOS) run flat $(if $(SEED),--seed $(SEED))
	@$(CHAOS) run gate $(if $(SEED),--seed $(SEED))

.PHONY: chaos-soak
chaos-soak: .venv/.dev ## Break everything for eight hours
	@$(CHAOS) run soak $(if $(SEED),--seed $(SEED))

.PHONY: abuse
abuse: .venv/.dev ## Send a gateway 200,000 bad inputs; COUNT=2000 sends fewer, SEED=7 chooses the same ones again
	@PYTHONPATH=chaos $(BIN)/python -m taskwire_chaos.abuse $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

.PHONY: build
build: .venv/.dev ## Build the wheel and the source archive into dist/
	@$(BIN)/python -m hatchling build

.PHONY: requirements
requirements: ## Pin the newest packages that pyproject.toml allows (needs uv)
	@requirements/compile.sh --upgrade

.PHONY: clean
clean: ## Remove .venv, dist/ and caches, but no data
	@rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
