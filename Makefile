# One word each. Needs only make and Python 3.11-3.13; uses uv where it is installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# LeRobot wants other versions of PyAV and torch than ours, so it reads what we wrote from an environment of its own.
LEROBOT := .venv-lerobot
# OpenBLAS sums differently on each kind of processor, and in liquids that decides what becomes of them; what is tested
# is to be the same on all.
TEST := OPENBLAS_CORETYPE=Haswell $(BIN)/python -m pytest -n auto --dist worksteal
ifeq ($(shell command -v uv 2>/dev/null),)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
else
INSTALL := VIRTUAL_ENV=$(VENV) uv pip install --quiet
endif

.PHONY: help install dev lerobot extras demo test test-all check format bench kills ray cost loading audits compare bearings pictures pages golden clean
help:
	@echo "make demo    install, write 24 falling clips to out/demo, say where they are"
	@echo "make test    the test suite; what needs an extra that is not installed, or takes long, is skipped and named"
	@echo "make test-all  all of it, with all extras installed: torch, Ray, WebDataset, S3, LeRobot (some 10 GB)"
	@echo "make check   lint, format, types, docs"
	@echo "make bench   speed against a hand-written script, of a pour and of machines, by stage"
	@echo "make compare the default renderer beside Mitsuba"
	@echo "make kills   a hundred kills over 200 clips, local and on Ray: the same bytes?"
	@echo "make ray     Ray beside the local runner"
	@echo "make cost    CPU seconds and bytes of clips of all scenes, into docs/cluster.md"
	@echo "make loading  the loaders beside a bare loop, and beside generation"
	@echo "make audits  our own scenes before the audit"
	@echo "make bearings  what a plain classifier hears and sees of damaged bearings"
	@echo "make golden  write the golden hashes anew (only when a scene was meant to change)"
	@echo "make pictures  draw the pictures of the README and of the viewer's page anew"
	@echo "make pages   write the pages of the scenes anew"
	@echo "make format  put the code in order"
	@echo "make clean   remove what make made"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "physreel needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml requirements.lock
	$(INSTALL) -c requirements.lock -e .
	@touch $@
$(VENV)/.dev: $(VENV)/.installed
	$(INSTALL) -c requirements.lock -e '.[dev]'
	@touch $@

$(VENV)/.extras: $(VENV)/.dev
	$(INSTALL) -c requirements.lock -e '.[dev,extras]'
	@touch $@
$(LEROBOT)/.installed: requirements-lerobot.lock
	$(PYTHON) -m venv $(LEROBOT)
	$(LEROBOT)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-lerobot.lock
	@touch $@

install: $(VENV)/.installed
dev: $(VENV)/.dev
lerobot: $(LEROBOT)/.installed
extras: $(VENV)/.extras lerobot

demo: $(VENV)/.installed
	$(BIN)/physreel generate falling -n 24 --seed 0 --out out/demo --passes rgb,depth,segmentation,normals,flow --shard-size 12
	$(BIN)/physreel unpack out/demo --out out/demo-clips

test: $(VENV)/.dev
	$(TEST)

test-all: extras
	$(TEST) --thorough

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_docs.py --thorough

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/liquids.py
	$(BIN)/python benchmarks/machines.py

compare: $(VENV)/.dev
	$(BIN)/python benchmarks/renderers_compared.py

kills: $(VENV)/.extras
	$(BIN)/python benchmarks/kills.py

ray: $(VENV)/.extras
	$(BIN)/python benchmarks/ray_runner.py

cost: $(VENV)/.dev
	$(BIN)/python benchmarks/cost.py --write docs/cluster.md

loading: $(VENV)/.extras
	$(BIN)/python benchmarks/loading.py

audits: $(VENV)/.dev
	$(BIN)/python benchmarks/audit_scenes.py out/audits

bearings: $(VENV)/.dev
	$(BIN)/python benchmarks/bearing_classifier.py

pictures: $(VENV)/.dev
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/view_pictures.py

pages: $(VENV)/.dev
	$(BIN)/python docs/scene_pages.py

golden: $(VENV)/.dev
	$(BIN)/python tests/test_golden.py --write

clean:
	rm -rf $(VENV) $(LEROBOT) out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
