# Two commands do everything: `make demo` and `make test`. Both install what they need into .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint types arrows unit slow wheel docs sample format lock bench clean

demo: $(INSTALLED)
	$(BIN)/tune-reg run studies/digits.toml --out out/digits

test: lint types arrows unit wheel

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

arrows: $(INSTALLED)
	$(BIN)/lint-imports

# Compiled files are kept, whatever the machine's setting: each process would compile every test and module anew.
unit slow: export PYTHONDONTWRITEBYTECODE =

unit: $(INSTALLED)
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# What `unit` leaves out: more ways to kill a study, more examples, faults put in on purpose.
slow: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

# The built wheel, in an environment and a folder of its own: what users get, not what lies here.
wheel: $(INSTALLED)
	$(BIN)/python tests/wheel/try_wheel.py

# The site, in out/site/index.html.
docs: $(INSTALLED)
	$(BIN)/python -m sphinx -W --keep-going -q -b html -d out/doctrees docs out/site

# The sample report and the picture of it that the site and the README show: those of the demo, out/digits.
sample: demo
	$(BIN)/python docs/generator/sample_report.py out/digits

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Run in a fresh environment to move to newer versions.
lock: $(INSTALLED)
	{ echo '# Versions that the project is tested with; `make lock` writes this file anew.'; \
	  $(BIN)/pip freeze --exclude-editable; } > constraints.txt

bench: $(INSTALLED)
	$(BIN)/python benchmarks/vs_plain_tune.py

clean:
	rm -rf $(VENV) out dist build

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tune-reg needs Python 3.11 or newer, but $(PYTHON) is " + sys.version.split()[0] + "; set PYTHON=python3.11, say")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	touch $(INSTALLED)
