# Everything a person or CI starts. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
CACHE := $(or $(MESHWRIGHT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/meshwright-k3s-cilium)
VENV := $(CACHE)/venv/$(shell { $(PYTHON) --version; cat requirements/controller.txt; } 2>&1 | sha256sum | cut -c1-16)
STEPS := .venv/bin/python tests/steps.py

export MESHWRIGHT_CACHE := $(CACHE)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/tests/lab
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/collections

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# -- what has to be there first

.PHONY: setup
setup: packages venv artifacts ## install packages and the Python environment, build the lab's artifacts

.PHONY: packages
packages:
	@tests/packages.sh tests/lab/debian-packages.txt

.PHONY: venv
venv: $(VENV)/.complete
	@[ "$$(readlink .venv)" = "$(VENV)" ] || ln -sfn "$(VENV)" .venv

# Named after what goes in: a fresh clone, whose files are all new, finds it complete.
$(VENV)/.complete:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make needs Python 3.11 or newer: PYTHON=path make …")'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) cannot make environments: install python3-venv" >&2; exit 1; }
	@echo "== venv: pinned Python packages into $(VENV)"
	@$(PYTHON) -m venv --clear "$(VENV)"
	@"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements/controller.txt
	@touch "$@"

.PHONY: artifacts
artifacts: packages venv
	@$(STEPS) artifacts

# -- the lab

.PHONY: up
up: packages venv ## a three-server cluster with Cilium on this machine, by site.yml; repeatable
	@$(STEPS) up

.PHONY: down
down: venv ## remove the lab (its artifacts stay in the cache)
	@$(STEPS) down

.PHONY: kubeconfig
kubeconfig: venv ## print the path of the lab's kubeconfig
	@.venv/bin/python -m meshlab kubeconfig

.PHONY: ssh-config
ssh-config: venv ## print the path of an ssh_config for the lab's hosts
	@.venv/bin/python -m meshlab ssh-config

# -- tests

.PHONY: check
check: venv ## lint, types, unit tests, argument specs, docs: no lab, about a minute
	@$(STEPS) check

.PHONY: sanity
sanity: venv ## ansible-test sanity on an installed copy, and the tarball from outside the checkout
	@$(STEPS) sanity

.PHONY: molecule
molecule: packages venv ## Molecule scenarios on one lab; SCENARIO="a b" picks some
	@$(STEPS) molecule $(SCENARIO)

.PHONY: test-k3s
test-k3s: packages venv ## the suite of documented k3s behaviour; K3S_BINARY=path tests a real k3s
	@$(STEPS) k3s

.PHONY: test
test: packages venv ## what CI runs: all of check, sanity, the scenarios on one lab, the core of test-k3s
	@$(STEPS) test

.PHONY: test-full
test-full: packages venv ## the same with a fresh cluster for each scenario, all of test-k3s, and the faults
	@$(STEPS) test-full

.PHONY: bench
bench: packages venv ## time of each phase and of a no-op run; PEER=path compares with k3s-io/k3s-ansible
	@$(STEPS) bench

.PHONY: bench-stage2
bench-stage2: packages venv ## what is noticed of stage 2, done naively and by ours
	@$(STEPS) bench-stage2

# -- upkeep

.PHONY: docs
docs: venv ## write docs/reference from argument specs and modules
	@.venv/bin/python tests/docs.py

.PHONY: lock
lock: ## resolve requirements/controller.in again (needs uv)
	@uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-annotate --no-header \
	  requirements/controller.in -o requirements/controller.txt
	@sed -i '1i # The controller'"'"'s environment, resolved from controller.in for Python 3.11 and newer: `make lock` writes it.' \
	  requirements/controller.txt

.PHONY: clean
clean: ## remove build/ and the tools' caches from the checkout
	@rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible
