# Every target builds .venv first; it needs only Python 3.11 with pip and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# Without kept bytecode each of the hundreds of processes that tests start compiles the engine anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test chaos check format bench clean

$(STAMP): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[figures,postgres,fast,pdf,sftp,test]'
	@touch $(STAMP)

demo: $(STAMP)          ## both monthly notices on sample data
	$(BIN)/smsengine demo

test: $(STAMP)          ## all tests
	$(BIN)/python -m pytest -n 3 --dist worksteal -rs

chaos: $(STAMP)         ## senders die hundreds of times; SEED=… repeats one
	$(BIN)/python -m pytest -n 2 -m chaos $(if $(SEED),--randomly-seed=$(SEED)) tests/flow

check: $(STAMP)         ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP)        ## rewrite files in the house format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(STAMP)         ## the benchmarks; figures in docs/performance.md
	$(BIN)/python -m bench.planning
	$(BIN)/python -m bench.checking
	$(BIN)/python -m bench.figures
	$(BIN)/python -m bench.sending
	$(BIN)/python -m bench.callbacks
	$(BIN)/python -m bench.payments
	$(BIN)/python -m bench.payments_api
	$(BIN)/python -m bench.payments_daily
	$(BIN)/python -m bench.payments_cross_check

clean:
	rm -rf $(VENV) build dist *.egg-info demo
