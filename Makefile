# The developer's whole interface. Each target sets up what it needs in .venv and is quick when it is there.
# It takes Python 3.11 or newer, make, and the usual package registries.

PYTHON ?= $(shell command -v python3.11 || command -v python3.13 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-mail check bench chaos messages lock clean

demo: $(READY)
	@$(BIN)/mailer demo

# A process for each core, and a file's tests all in one of them. In the order of their folders: the files that take
# longest have few tests, and would otherwise come last, each with the other cores idle.
SPREAD := -n auto --dist loadfile --no-loadscope-reorder

test: $(READY)
	@$(BIN)/python -m pytest -q $(SPREAD)
	@$(MAKE) --no-print-directory test-mail

# The mails in a browser, and before outside judges: in a run of its own, since it takes minutes and needs more.
test-mail: $(READY)
	@sh tests/appearance/install.sh "$(CURDIR)/$(BIN)"
	@$(BIN)/python -m pytest -q $(SPREAD) tests/appearance

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY)
	@$(BIN)/python bench/run.py

# Kills the sender again and again and counts the copies (docs/crash-tests.md): make chaos KILLS=1000 SEED=7 READERS=2000
chaos: $(READY)
	@$(BIN)/python -m tests.faults.chaos $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) \
		$(if $(READERS),--readers $(READERS)) $(if $(KEEP),--keep $(KEEP))

# The mails' sentences as they are now, for translators, and into the catalogues; what changed is marked as fuzzy.
# Left alone, pybabel passes over folders that begin with _, such as that of the frames.
messages: $(READY)
	@$(BIN)/pybabel -q extract -F babel.cfg --ignore-dirs='.*' --omit-header --sort-by-file --add-location=file \
		--width=110 -o mailer/locale/mailer.pot .
	@$(BIN)/pybabel -q update -i mailer/locale/mailer.pot -d mailer/locale -D mailer --width=110
	@# Of the header only what is needed to read a catalogue: not who wrote it when with what.
	@sed -i.bak -E '/^"(Project-Id|Report-Msgid|POT-Creation|PO-Revision|Last-Trans|Language-Team|MIME-V|Generated-By).*/d' \
		mailer/locale/*/LC_MESSAGES/mailer.po && rm mailer/locale/*/LC_MESSAGES/mailer.po.bak
	@$(BIN)/mailer messages check

# Versions and hashes, and no address of where they come from.
lock: $(READY)
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --upgrade pyproject.toml --extra dev --python-version 3.11 --universal \
		--generate-hashes --no-annotate --no-header --output-file requirements.lock

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mailer needs Python 3.11 or newer; say make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV), once ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $(READY)

clean:
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis tests/appearance/node_modules
