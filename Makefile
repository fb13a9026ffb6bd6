# The two commands that the README opens with. Each sets up what it needs: only Python 3.11 to 3.13 and make are assumed.
#
#   make quickstart   photographs of leaves -> Beam job -> training -> grids and a table, in minutes
#   make known-factors   generated images -> training from nothing -> a table of what was learnt, in a quarter of an hour
#   make showcase     IMAGES=DIR STEPS=N: photographs -> a translator, its numbers and pictures; goes on where it stopped
#   make reproduce    TABLE=afhq ARCHIVE=FILE: a table of the paper from its data, or with CHECKPOINT=FILE of published networks
#   make check        lint, types and the quick tests, in under 90 seconds
#   make test         lint and all tests of what is installed; a test whose part is missing says so and is skipped
#   make test-all     installs PyTorch and TFX too, and tests the built package
#   make long         whole pipelines again and again, also on PostgreSQL and MariaDB, the showcase and the paper's tables: an hour
#   make browser      installs Chromium, which the tests of the page need
#   make databases    installs PostgreSQL and MariaDB, which the tests of the pipeline's metadata need
#   make pipeline     images with known factors through the pipeline, to a served version and a report
#   make runtime      installs ONNX Runtime Web by npm, for pages without a server and their tests
#   make docs         the documentation as a site, build/site/index.html, in which the shipped translator or DEMO=RUN is tried
#   make serve-check  MODEL=DIR: an exported model behind the real TF Serving, which needs Docker

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
WORK := work/quickstart
KNOWN := work/known_factors
# Of `make showcase`: a folder with a folder of photographs for each domain, how long to train, and settings besides the
# preset's; the README's showcase has examples/wide.yaml.
IMAGES ?= ../shared/data/leaves
STEPS ?= 8000
SETTINGS ?=
# Of `make reproduce`, which docs/reproduce.md describes: the paper's data, and the networks that its numbers were measured with.
TABLE ?= afhq
ARCHIVE ?= $(TABLE).zip
EXTRACTOR ?= inception.onnx
DISTANCE ?= alex.onnx:alex.npz
# What the lock file holds beside the requirements of everybody. PyTorch is apart, see below.
EXTRAS := serving onnx web metrics litert demo video s3 hub heif dev docs

# Where an NVIDIA GPU answers, TensorFlow's CUDA libraries are installed, too (the extra gpu, 3 GB).
HAS_GPU = $(shell nvidia-smi -L 2>/dev/null | grep "^GPU ")

# Bytecode when installing: where nobody may write it later (PYTHONDONTWRITEBYTECODE, a read-only disk), every process would
# compile TensorFlow and Beam for itself, which takes several times as long as the import.
export UV_COMPILE_BYTECODE := 1

.PHONY: help quickstart known-factors showcase reproduce pipeline check test test-all parts beyond long browser databases runtime docs serve-check lint lock clean

help:
	@sed -n 's/^#   //p' Makefile

$(VENV)/installed: requirements.lock pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit( \
	    f"$(PYTHON) is Python {v[0]}.{v[1]}; 3.11 to 3.13 is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
	$(RUN) -m uv pip install --python $(RUN) --requirement requirements.lock
	$(if $(HAS_GPU),$(RUN) -m uv pip install --python $(RUN) --constraint requirements.lock 'tensorflow[and-cuda]')
	$(RUN) -m uv pip install --python $(RUN) --no-deps --editable .
	@touch $@

# The shipped translator goes on with a few of the photographs it knows: the main job in minutes, not a new model.
quickstart: $(VENV)/installed
	test -d $(WORK)/data || $(RUN) -m data_prep.images_to_tfrecords \
	    --input examples/leaves --output $(WORK)/data --image_size 64
	$(RUN) -m stargan_tf.train --data $(WORK)/data --run $(WORK)/run --init_from leaves \
	    --training.steps 60 --training.log_every 10 --training.sample_every 20 --training.checkpoint_every 20
	test -d $(WORK)/translations || $(RUN) -m stargan_tf.sample --run $(WORK)/run \
	    --source examples/leaves/val --reference examples/leaves/val --output $(WORK)/translations
	$(RUN) -m stargan_tf.evaluate --run $(WORK)/run --data $(WORK)/data --mode photographs --styles 2
	@echo
	@echo "Look at   $(WORK)/translations/reference_guided.png"
	@echo "          $(WORK)/translations/latent_guided.png"
	@echo "watch how it was learnt:"
	@echo "          $(VENV)/bin/tensorboard --logdir $(WORK)/run/logs"
	@echo "and try the shipped translator in the browser:"
	@echo "          $(RUN) -m stargan_tf.demo --examples examples/leaves/val"

known-factors: $(VENV)/installed
	test -d $(KNOWN)/images || $(RUN) -m data_prep.synthetic --output $(KNOWN)/images
	test -d $(KNOWN)/data || $(RUN) -m data_prep.images_to_tfrecords \
	    --input $(KNOWN)/images --output $(KNOWN)/data --image_size 32 --encoding png
	$(RUN) -m stargan_tf.train --data $(KNOWN)/data --run $(KNOWN)/run --preset known_factors
	test -d $(KNOWN)/translations || $(RUN) -m stargan_tf.sample --run $(KNOWN)/run \
	    --source $(KNOWN)/images/val --reference $(KNOWN)/images/val --output $(KNOWN)/translations
	$(RUN) -m stargan_tf.evaluate --run $(KNOWN)/run --data $(KNOWN)/data --mode known_factors
	@echo
	@echo "Look at   $(KNOWN)/translations/latent_guided.png"
	@echo "          $(KNOWN)/translations/reference_guided.png"

showcase: $(VENV)/installed
	$(RUN) -m examples.showcase --input $(IMAGES) --output work/showcase --steps $(STEPS) \
	    $(addprefix --settings ,$(SETTINGS))

reproduce: $(VENV)/installed $(if $(CHECKPOINT)$(FAN),$(VENV)/pytorch)
	$(RUN) -m examples.reproduce --table $(TABLE) --archive $(ARCHIVE) --output work/$(TABLE) --extractor $(EXTRACTOR) \
	    --distance $(DISTANCE) $(addprefix --checkpoint ,$(CHECKPOINT)) $(addprefix --fan ,$(FAN))

# PyTorch, which only the tests of its checkpoints need. By pip and not in the lock file: pip takes a build for CPUs where
# PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL has one, and else PyPI's for GPUs, which is 3 GB.
$(VENV)/pytorch: $(VENV)/installed
	$(RUN) -m pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	@touch $@

# TFX, with the versions of the lock file where it asks for others. Its parts without wheels for older systems are replaced
# there, which needs Python 3.11: the newest for which ml-metadata 1.17.1 has a wheel.
IS_OLDER := import os; print("older" if tuple(map(int, os.confstr("CS_GNU_LIBC_VERSION").split()[1].split("."))) < (2, 39) else "")
TFX := 'tfx==1.21.0' 'kfp>=2.16,<3'
TFX_OVERRIDES = requirements.lock $(if $(shell $(RUN) -c '$(IS_OLDER)'),tfx_overrides_older.txt)

$(VENV)/tfx: $(VENV)/installed tfx.lock tfx_overrides_older.txt
	@$(if $(shell $(RUN) -c '$(IS_OLDER)'),$(RUN) -c 'import sys; v = sys.version_info[:2]; v == (3, 11) or sys.exit( \
	    "TFX needs Python 3.11 on a system as old as this (glibc before 2.39): make clean; make PYTHON=python3.11")')
	$(RUN) -m uv pip install --python $(RUN) $(addprefix --override ,$(TFX_OVERRIDES)) \
	    --constraint tfx.lock $(TFX)
	@touch $@

pipeline: $(VENV)/tfx
	test -d $(KNOWN)/images || $(RUN) -m data_prep.synthetic --output $(KNOWN)/images
	$(RUN) -m pipeline.run --config pipeline/quickstart.yaml

# Two processes: most of the time goes into tracing graphs, which takes one core. Files in the order of tests/conftest.py.
PYTEST := $(RUN) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
# The tests of these folders need neither PyTorch, TFX, Java nor a browser; `slow` are those that take seconds.
QUICK := $(addprefix tests/,base config data data_prep evaluation faces inference losses metrics networks runs training)

check: lint
	$(PYTEST) -m 'not slow and not beyond and not long' $(QUICK)

test: lint
	$(PYTEST) -m 'not beyond and not long'

test-all: parts test beyond

parts: $(VENV)/pytorch $(VENV)/tfx

browser:
	command -v chromium > /dev/null && command -v chromedriver > /dev/null || { apt-get update --quiet --quiet \
	    && apt-get install --yes --quiet --quiet --no-install-recommends chromium chromium-driver; }

# The packages start servers of their own; tests start theirs on loopback, in folders.
databases:
	command -v mariadb-install-db > /dev/null && ls /usr/lib/postgresql/*/bin/initdb > /dev/null \
	    || { apt-get update --quiet --quiet \
	    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --quiet --no-install-recommends \
	    postgresql mariadb-server; }

# What `make test-all` has beyond `make test`.
beyond: $(VENV)/installed
	$(PYTEST) -m beyond

# What takes many minutes each, and CI has no time for: whole pipelines again and again, also on database servers, and the
# showcase stopped and gone on.
long: databases parts
	$(PYTEST) -m long

# What pages without a server hold (stargan_tf.export --format web). It needs npm, which comes with Node.js.
runtime: $(VENV)/runtime

$(VENV)/runtime: $(VENV)/installed
	npm install --silent --ignore-scripts --no-audit --no-fund --prefix $(VENV)/onnxruntime-web onnxruntime-web@1.30.0
	@touch $@

# DEMO is what is tried on the site, a run or nothing (`DEMO=`, where there is no npm); DEMO_EXAMPLES a folder of pictures that
# may be published with it. NO_MKDOCS_2_WARNING silences an announcement of the theme's authors, which is no warning about
# these pages.
DEMO ?= leaves
DEMO_EXAMPLES ?= $(if $(filter leaves,$(DEMO)),stargan_tf/shipped/leaves)
EXPORT_DEMO = rm -rf build/demo && $(RUN) -m stargan_tf.export --run $(DEMO) --output build/demo/translator \
    --format web --runtime $(VENV)/onnxruntime-web $(addprefix --examples ,$(DEMO_EXAMPLES))
docs: $(VENV)/installed $(if $(DEMO),$(VENV)/runtime)
	$(if $(DEMO),$(EXPORT_DEMO))
	NO_MKDOCS_2_WARNING=1 STARGAN_DEMO=$(if $(DEMO),build/demo/translator) $(RUN) -m mkdocs build --strict

serve-check: $(VENV)/installed
	$(RUN) -m tests.serve_check --models $(MODEL)

lint: $(VENV)/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-logo
	$(RUN) -m mypy

# Pins what CI tests, for all supported versions of Python.
lock: $(VENV)/installed
	$(RUN) -m uv pip compile pyproject.toml $(addprefix --extra ,$(EXTRAS)) --universal --python-version 3.11 --no-header \
	    --upgrade --output-file requirements.lock
	printf '%s\n' $(TFX) | $(RUN) -m uv pip compile - --universal --python-version 3.11 --no-header --no-annotate --upgrade \
	    --override requirements.lock --override tfx_overrides_older.txt \
	    | grep -v -e '^ml-metadata' $$(sed -n 's/^\([a-z0-9._-]*\)==.*/-e ^\1==/p' requirements.lock) > tfx.lock

clean:
	rm -rf $(VENV) build *.egg-info
