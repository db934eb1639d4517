# What one does with this checkout: `make help` lists it. Everything lands in .venv and in the user's cache.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help venv setup lint test system fuzz chaos demo bench soak lock

PY := .venv/bin/python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

# With Python 3.11, 3.12 or 3.13: the first on PATH, or make PYTHON=/its/path …
venv:
	@PYTHON="$(PYTHON)" scripts/venv

setup: venv ## virtual environment, locked dependencies, embedded services, compiled detectors
	$(PY) -m ecgstream prepare

lint: venv ## style, types, imports between packages, lock files, the Containerfile
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) .venv/bin/lint-imports
	$(PY) scripts/check_lock.py
	.venv/bin/hadolint deploy/images/Containerfile

# The compiler runs ahead of the tests, so that no single test has to wait for it.
test: venv ## unit tests and doctests on all cores; needs no service; ARGS="…" goes to pytest
	$(PY) -c 'import detectors; detectors.warm_up()'
	$(PY) -m pytest --ignore=tests/system -n auto --dist worksteal $(ARGS)

# The tests' fixtures start the services, for each of the two processes its own. What cannot be installed is skipped,
# unless it is required. Without ARGS something must be found in either part.
OR_NONE = $(if $(ARGS),|| [ $$? = 5 ])
system: venv ## tests with real Kafka and TimescaleDB, installed first (TimescaleDB needs root)
	$(PY) -m tests.system.services install || [ "$${ECGSTREAM_REQUIRE_SERVICES:-}" != 1 ]
	$(PY) -c 'import detectors; detectors.warm_up()'
	$(PY) -m pytest tests/system -m "not alone" -n 2 --dist loadfile $(ARGS) $(OR_NONE)
	$(PY) -m pytest tests/system -m alone $(ARGS) $(OR_NONE)

# What it finds lies in .fuzz; the same for a minute over all codecs together is a test of `make system`.
fuzz: venv ## every codec for a minute, by libFuzzer (Linux, x86_64); ARGS="--frames 1000000 mllp" for others
	$(PY) -m tests.fuzz --each $(ARGS)

# Kafka's three brokers come with the command; the database is one that it may restart.
chaos: venv ## 200 faults, 100 kills of the pager, 50 of receiving gateways: hours; ARGS="--faults 12" for others
	$(PY) -m tests.system.services install
	ECGSTREAM_TEST_KILLS=50 $(PY) -m pytest tests/system/test_receive.py tests/system/test_receive_mqtt.py -k killed
	$(PY) -m tests.system.services run -- bash -c \
		'ECGSTREAM_DATABASE="$$ECGSTREAM_TEST_TIMESCALE" exec $(PY) -m ecgstream chaos --faults 200 --pager-kills 100 "$$@"' chaos $(ARGS)

demo: setup ## real ECG through a whole centre, once; ARGS="--json FILE" writes the summary too
	$(PY) -m ecgstream demo $(ARGS)

# Needs some minutes; the figures go into docs/measured and docs/performance.md.
bench: venv ## how fast the parts and the whole pipeline are
	$(PY) -m ecgstream bench
	$(PY) -m ecgstream bench detectors $${ECGSTREAM_RECORDINGS:+"$$ECGSTREAM_RECORDINGS/mitdb"} \
		--json docs/measured/detectors.json --document docs/performance.md
	$(PY) -m ecgstream bench pipeline --profile --json docs/measured/pipeline.json --document docs/performance.md
	$(PY) -m ecgstream bench narrow --json docs/measured/narrow.json --document docs/performance.md
	$(PY) -m ecgstream bench receive --json docs/measured/receive.json --document docs/performance.md
	$(PY) -m ecgstream bench restore --json docs/measured/restore.json --document docs/performance.md
	for what in monitor replay report export; do \
		$(PY) -m ecgstream bench $$what --json docs/measured/$$what.json --document docs/performance.md; \
	done

soak: venv ## a wall of 64 sectors in a browser for 15 minutes: does its memory stay flat?
	$(PY) -m tests.system.services install
	$(PY) -m ecgstream bench soak --json docs/measured/soak.json --document docs/performance.md $(ARGS)

# One resolution for all; the images' parts of it are taken out with the same versions (deploy/images/README.md).
COMPILE := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links
IMAGE := $(COMPILE) --python-version 3.13 --constraint requirements.lock

lock: ## resolve requirements.lock anew, and the images' locks (needs uv: pip install uv)
	$(COMPILE) --python-version 3.11 --all-extras --group dev pyproject.toml -o requirements.lock
	$(IMAGE) --extra receive --extra files pyproject.toml -o deploy/images/gateway.lock
	$(IMAGE) --extra centre pyproject.toml -o deploy/images/centre.lock
	echo hatchling | $(IMAGE) - -o deploy/images/build.lock
