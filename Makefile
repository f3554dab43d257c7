# All commands. `make help` lists them.
# They need Rust, Python 3.11 or later and make. Everything else is downloaded into .venv (.venv-build for a deployment,
# .venv-readers for tests, the other .venv-… for comparisons).

SHELL := bash
.DEFAULT_GOAL := help

# Always built together. Separate builds would build shared packages again, with other features.
FUNCTIONS := extract validate curate catalog
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Without MAKEFLAGS, from which cargo would take the two jobs of `ready` as its own limit.
CARGO := MAKEFLAGS= cargo
# The first Python that is new enough, or PYTHON=... to choose one. The search runs only when a venv is made.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# The name of a folder in examples/. Every command below then uses its metadata in place of meta_data.
EXAMPLE ?=
META_DATA := $(if $(EXAMPLE),examples/$(EXAMPLE)/)meta_data
$(if $(wildcard $(META_DATA)),,$(error there is no $(META_DATA); EXAMPLE may be $(notdir $(wildcard examples/*))))
# The functions as Lambda finds them, with that metadata.
BUILT := .local/$(if $(EXAMPLE),examples/$(EXAMPLE)/)functions
# The command-line program. The targets below are shortcuts for its commands.
LANDFALL ?= .local/landfall

VENV := .venv
LANDFALL_LOCAL := PYTHONPATH=infra/local $(VENV)/bin/python -m landfall_local

# --------------------------------------------------------------------------------------------------------------- usage

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Requests of the extract. The example's API returns one row per request.
N ?= 10
# Origin of the API, e.g. https://api.postcodes.io. If empty, a stand-in on this machine.
API ?=

# For run: a folder of your files, named <table>/<file> or <file> by the table. For new-table: a sample of the table.
FROM ?=
LANDING = $(or $(FROM),$(if $(EXAMPLE),examples/$(EXAMPLE)/files))

.PHONY: run
run: ready ## Run the whole pipeline once on this machine (N=10 rows; API=https://api.postcodes.io for the real source; FROM=folder of files; EXAMPLE=shop)
	@$(check_metadata)
	@$(LANDFALL_LOCAL) run --functions $(BUILT) $(if $(LANDING),--from '$(LANDING)',--requests $(N)) \
	  $(if $(API),--api $(API))

.PHONY: up
up: ready ## Start the local cloud with the pipeline in it, and keep it running until Ctrl-C
	@$(check_metadata)
	@$(LANDFALL_LOCAL) up --functions $(BUILT) $(if $(API),--api $(API))

FUNCTION ?= extract
EVENT ?= $(firstword $(sort $(wildcard infra/events/$(FUNCTION).json infra/events/$(FUNCTION)-*.json)))

.PHONY: invoke
invoke: $(VENV)/.ready ## Invoke a function in the running `make up` (FUNCTION=extract EVENT=infra/events/extract.json)
	@$(LANDFALL_LOCAL) invoke $(FUNCTION) '$(EVENT)'

FILE ?=
# May be omitted if the file's name begins with the table's.
TABLE ?=

# Reports a missing variable before anything is built: $(call needs,<variable>,<description>)
needs = $(if $($(1)),,echo '$(1)= is missing: $(2)' >&2; exit 2)

.PHONY: needs-file needs-sample needs-raw-hist needs-key
needs-file:
	@$(call needs,FILE,a file of yours)
needs-sample:
	@$(if $(GLUE),,$(call needs,FROM,a sample of the table or a description of it; or GLUE=database.table))
needs-raw-hist:
	@$(call needs,RAW_HIST,a folder of <table>/file_land_timestamp=<unix seconds>/<file>)
needs-key:
	@$(call needs,KEY,the file in quarantine)

.PHONY: validate
validate: needs-file functions ## Check one of your files as validate checks a landed file (FILE=orders.jsonl.gz TABLE=orders; JSON=1 for the report)
	@$(LANDFALL) validate '$(FILE)' $(if $(TABLE),--table '$(TABLE)') $(if $(JSON),--json) \
	  --meta-data $(META_DATA)

# A Glue table, <database>.<table>, in the account of your credentials.
GLUE ?=
SCHEMA_OF = $(or $(GLUE),$(filter %.yaml %.yml,$(FROM)))

.PHONY: new-table
new-table: needs-sample functions $(if $(SCHEMA_OF),$(VENV)/.ready) ## Write the metadata of a new table from a file (FROM=orders.csv TABLE=orders), a Table Schema or data contract (FROM=contract.yaml), or a Glue table (GLUE=database.table)
	@$(if $(SCHEMA_OF),mkdir -p .local; $(LANDFALL_LOCAL) schema '$(SCHEMA_OF)' >.local/schema.json)
	@$(LANDFALL) new-table $(or $(if $(SCHEMA_OF),.local/schema.json),$(if $(FROM),'$(FROM)')) \
	  $(if $(TABLE),--table '$(TABLE)') \
	  --meta-data $(META_DATA)

.PHONY: metadata
metadata: functions ## Check all metadata, all its rules and all SQL, without any data file
	@$(LANDFALL) check --meta-data $(META_DATA)

# Checks the metadata before anything starts.
check_metadata = $(LANDFALL) check --meta-data $(META_DATA) >/dev/null

RAW_HIST ?=
CURATED ?= .local/tables
# The processed files of tables with a process stage, made again each time.
PROCESSED := .local/processed
# Further options of the command, e.g. OPTIONS="--snapshot-date 2026-11-24 --memory 512".
OPTIONS ?=

.PHONY: tables
tables: needs-raw-hist functions ## Build the curated tables from a folder of your raw files (RAW_HIST=folder CURATED=.local/tables TABLE=)
	@rm -rf $(PROCESSED); ! [ -d $(META_DATA)/processed ] || $(LANDFALL) process \
	  --meta-data $(META_DATA) --raw '$(RAW_HIST)' --processed $(PROCESSED) >/dev/null
	@$(LANDFALL) tables --meta-data $(META_DATA) --raw-hist '$(RAW_HIST)' --processed $(PROCESSED) \
	  --curated '$(CURATED)' \
	  $(if $(TABLE),--table '$(TABLE)') $(OPTIONS)

# 1 for the raw database.
RAW ?=
.PHONY: definition
definition: functions ## Show the Glue definition of a table (TABLE=random_postcodes; RAW=1 for the raw database)
	@$(LANDFALL) define --meta-data $(META_DATA) $(if $(TABLE),--table '$(TABLE)') $(if $(RAW),--raw)

RUN ?= latest

.PHONY: reference
reference: ## Regenerate the tables of docs/metadata.md from the keys in docs/schema
	$(CARGO) run --quiet -p landfall-contract --example reference

.PHONY: land
land: needs-file $(VENV)/.ready ## Land one of your files in the running `make up`, and wait for its verdict and its rows (FILE= TABLE=; STACK= for a deployed stack)
	@$(LANDFALL_LOCAL) land '$(FILE)' $(if $(TABLE),--table '$(TABLE)') $(if $(STACK),--stack '$(STACK)') \
	  --meta-data $(META_DATA)

# The key of a file in quarantine.
KEY ?=

.PHONY: replay
replay: needs-key $(VENV)/.ready ## Put a file from quarantine back into land, after correcting its metadata (KEY=; STACK= for a deployed stack)
	@$(LANDFALL_LOCAL) replay '$(KEY)' --meta-data $(META_DATA) $(if $(STACK),--stack '$(STACK)')

.PHONY: verify
verify: $(VENV)/.ready ## Build a run in the running `make up` again and compare the bytes (RUN=latest)
	@$(LANDFALL_LOCAL) invoke curate '{"verify": "$(RUN)"}' --must-have same

.PHONY: plan
plan: $(VENV)/.ready ## Show what publishing a run in the running `make up` would change in the catalog (RUN=latest)
	@$(LANDFALL_LOCAL) invoke catalog '{"publish": "$(RUN)", "plan_only": true}' --show-lines plan

.PHONY: rollback
rollback: RUN = previous
rollback: $(VENV)/.ready ## Roll the catalog of the running `make up` back to an earlier run (RUN=previous)
	@$(LANDFALL_LOCAL) invoke catalog '{"publish": "$(RUN)"}' --show-lines plan

# 0 to delete them.
DRY_RUN ?= 1

.PHONY: expire
expire: $(VENV)/.ready ## List the runs in the running `make up` that are no longer needed (DRY_RUN=0 to delete them)
	@$(LANDFALL_LOCAL) invoke catalog '{"expire": true, "dry_run": $(if $(filter 0,$(DRY_RUN)),false,true)}'

# --------------------------------------------------------------------------------------------------------- development

# A separate workspace, for the reason in its Cargo.toml.
SCHEMA := --manifest-path tests/schema/Cargo.toml --target-dir $(TARGET)/schema

# The end-to-end tests mostly wait.
TEST_THREADS ?= 4

.PHONY: test
test: $(VENV)/.ready-dev .venv-readers/.ready functions ## Run every test: unit, property, end to end, local cloud, template
	@set -uo pipefail; mkdir -p .local; rm -rf .local/iam; failed=0; \
	LANDFALL_IAM_USAGE=$(CURDIR)/.local/iam RUST_TEST_THREADS=$(TEST_THREADS) $(CARGO) test --workspace --no-fail-fast 2>&1 \
	  | tee .local/test-rust.log || failed=1; \
	$(CARGO) test $(SCHEMA) --locked 2>&1 | tee -a .local/test-rust.log || failed=1; \
	PYTHONPATH=infra/local $(VENV)/bin/python -m landfall_local.iam.report .local/iam || failed=1; \
	PYTHONPATH=infra/local $(VENV)/bin/python -m pytest infra/local/tests 2>&1 | tee .local/test-python.log || failed=1; \
	awk -v broken=$$failed ' \
	  { gsub(/\033\[[0-9;]*m/, "") } \
	  /^test result:/ { passed += $$4; failed += $$6 } \
	  /^(=+ )?[0-9]+ [a-z]+.* in [0-9.]+s/ { for (i = 2; i <= NF; i++) { \
	    if ($$i ~ /^passed,?$$/) passed += $$(i - 1); \
	    if ($$i ~ /^(failed|errors?),?$$/) failed += $$(i - 1) } } \
	  END { if (broken && !failed) failed = 1; \
	    printf "\n%d passed, %d failed\n", passed, failed; exit failed || !passed }' \
	  .local/test-rust.log .local/test-python.log

.PHONY: permissions
permissions: $(VENV)/.ready ## List the template's permissions that the last `make test` did not use
	@PYTHONPATH=infra/local $(VENV)/bin/python -m landfall_local.iam.report .local/iam

.PHONY: check
check: $(VENV)/.ready-dev ## Check format, lints, documentation, each function's linked crates, the local cloud's Python and the template
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) fmt --manifest-path tests/schema/Cargo.toml --check
	$(CARGO) clippy $(SCHEMA) --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' $(CARGO) doc --workspace --no-deps --document-private-items --locked --quiet
	@$(call within_120_columns)
	@$(call must_not_link,extract,arrow|parquet|datafusion)
	@$(call must_not_link,catalog,arrow|parquet|datafusion)
	@$(call must_not_link,validate,datafusion)
	$(VENV)/bin/ruff format --check --config infra/local/pyproject.toml infra tests/compare tests/reading tests/clients
	$(VENV)/bin/ruff check --config infra/local/pyproject.toml infra tests/compare tests/reading tests/clients
	$(VENV)/bin/typos
	$(VENV)/bin/cfn-lint infra/template.yaml

.PHONY: check-quick
check-quick: $(VENV)/.ready-dev ## The part of `make check` that compiles nothing: for a hook before each commit
	$(CARGO) fmt --all --check
	@$(call within_120_columns)
	$(VENV)/bin/ruff format --check --config infra/local/pyproject.toml infra tests/compare tests/reading tests/clients
	$(VENV)/bin/ruff check --config infra/local/pyproject.toml infra tests/compare tests/reading tests/clients
	$(VENV)/bin/typos

# For comments and strings, because rustfmt limits neither. Tests may have long samples, and links cannot be broken.
define within_120_columns
! { git ls-files '*.rs' | LC_ALL=C.UTF-8 xargs grep -nP '^(?=.{121})\s*//[/!]? (?!\||<http)'; \
    git ls-files '*.rs' | grep -vE '(^|/)tests?[./]' | LC_ALL=C.UTF-8 xargs grep -nP '^(?=.{121})(?!\s*//|.*r#")'; } | \
  grep . || { echo 'lines have 120 columns at most' >&2; exit 1; }
endef

# $(call must_not_link,<function>,<families of crates, joined by |>)
# The boundary is a crate and not a feature, because cargo builds the workspace with the union of all features.
define must_not_link
set -euo pipefail; \
crates=$$($(CARGO) tree --locked -p landfall-$(1) -e normal --prefix none -f '{p}'); \
linked=$$(awk '$$1 ~ /^($(2))([-_]|$$)/ { print $$1 }' <<<"$$crates" | sort -u | paste -s -d ' ' -); \
if [ -n "$$linked" ]; then echo "$(1) must not link: $$linked" >&2; exit 1; fi; \
echo "$(1) links no $(subst |, or ,$(2))"
endef

# The benches and their options, e.g. BENCH_OF=validate BENCH="--rows 1000 --rounds 3". BENCH=--help lists the options.
BENCH_OF ?= validate curate
BENCH ?=

# Separate builds, because in one build the crates would have the features of both.
.PHONY: bench
bench: ## Measure validate and curate against their floors and, after a `make compare`, against other tools (BENCH_OF=curate)
	@set -ex; $(CARGO) build --release --locked -p landfall; for of in $(BENCH_OF); do \
	  $(CARGO) bench --locked -p landfall-bench --bench $$of -- --landfall $(abspath $(TARGET))/release/landfall $(BENCH); \
	done

# Builds nothing if another binary is given, e.g. LANDFALL=target/release/landfall.
built_landfall = $(if $(filter-out file,$(origin LANDFALL)),,$(MAKE) --no-print-directory functions)

# The number of schedules, or all. ONLY selects those whose lines contain a part: ONLY='Previous at catalog|Expire'.
EXPLORE ?= 100
ONLY ?=

.PHONY: explore
explore: $(VENV)/.ready functions ## Run invocations at every call of others, and kill or refuse them there (EXPLORE=100 or all, SEED=1, ONLY=)
	EXPLORE=$(EXPLORE) EXPLORE_SEED=$(SEED) EXPLORE_ONLY='$(ONLY)' \
	  $(CARGO) test --workspace --test end_to_end -- --ignored --nocapture --test-threads 1 explore_

# The seed of generated files and of schedules.
SEED ?= 1

.PHONY: compare
compare: .venv-compare/.ready ## Compare validate's verdicts with data_linter's over generated files (SEED=1)
	@$(MAKE) --no-print-directory functions
	.venv-compare/bin/python tests/compare/differential.py --landfall $(LANDFALL) --seed $(SEED)

# 1 to write the results into docs/sql.md.
UPDATE ?=

.PHONY: compare-spark
compare-spark: .venv-spark/.ready ## Compare curate's tables and SQL with real Spark's (SEED=1; UPDATE=1 updates docs/sql.md; needs Java 17)
	@$(built_landfall)
	PYTHONPATH=infra/local .venv-spark/bin/python tests/compare/spark.py --landfall $(LANDFALL) --seed $(SEED) $(if $(UPDATE),--update)

# The number of cases, or SECONDS for as many as the time allows.
QUERIES ?= 1000
# bash sets SECONDS itself, so the variable is read only if it was given to make.
FOR_SECONDS = $(if $(filter command line environment,$(origin SECONDS)),$(SECONDS))

.PHONY: compare-sql
compare-sql: $(VENV)/.ready ## Compare curate's answers to random SQL over random tables with DuckDB's (SEED=1, QUERIES=1000 or SECONDS=)
	@$(built_landfall)
	@PYTHONPATH=tests/compare $(VENV)/bin/python -m machine --landfall $(LANDFALL) --seed $(SEED) \
	  $(if $(FOR_SECONDS),--seconds $(FOR_SECONDS),--queries $(QUERIES))

.PHONY: compare-bytes
compare-bytes: $(VENV)/.ready ## Build random SQL repeatedly with 1, 2 and 8 threads and compare the bytes (SEED=1, QUERIES=1000)
	@$(built_landfall)
	@PYTHONPATH=tests/compare $(VENV)/bin/python -m machine.bytes --landfall $(LANDFALL) --seed $(SEED) --queries $(QUERIES)

.PHONY: compare-canaries
compare-canaries: $(VENV)/.ready ## Search the output of curate and validate on random failures for values of sensitive columns (SEED=1)
	@$(MAKE) --no-print-directory functions
	@PYTHONPATH=tests/compare $(VENV)/bin/python -m machine.canaries --landfall $(LANDFALL) \
	  --seed $(SEED) --queries $(QUERIES)

.PHONY: compare-glue
compare-glue: .venv-glue/.ready ## Compare the Glue definitions with etl_manager's and mojap-metadata's (SEED=1)
	@$(built_landfall)
	.venv-glue/bin/python tests/compare/glue.py --landfall $(LANDFALL) --seed $(SEED)

# Some of the clients, with commas between: boto3,awscli,awswrangler,pyathena,dbt,pydbtools.
CLIENTS ?=

.PHONY: compare-clients
compare-clients: $(VENV)/.ready .venv-readers/.ready .venv-awscli/.ready .venv-dbt/.ready .venv-pydbtools/.ready ## Try the main functions of each Athena client on tables of every mode (CLIENTS=dbt,pydbtools for some)
	@$(MAKE) --no-print-directory functions
	PYTHONPATH=infra/local $(VENV)/bin/python tests/clients/compare.py $(if $(CLIENTS),--only $(CLIENTS))

.PHONY: golden
golden: ## Regenerate the golden Glue definitions, for review
	UPDATE_GOLDEN=1 $(CARGO) test --quiet -p landfall-catalog --test definitions

# ---------------------------------------------------------------------------------------------------------- deployment

# The architecture of the functions: x86_64 or arm64.
ARCH ?= x86_64
# Parameters of the template, e.g. PARAMETERS="AlertEmail=someone@example.org DeaVersion=v0.2.0".
PARAMETERS ?=
# An environment in infra/samconfig.toml. Only from the command line, because a shell may have an ENV of its own.
DEPLOY_ENV = $(if $(filter command line,$(origin ENV)),$(ENV))
# They override infra/samconfig.toml.
STACK ?=
REGION ?=
# 0 to deploy without asking.
CONFIRM ?=
# Further options of `sam deploy`, e.g. DEPLOY_OPTIONS="--role-arn arn:aws:iam::123456789012:role/deployment".
DEPLOY_OPTIONS ?=
# A folder made by `make package`. If empty, one is made.
PACKAGE ?=
SAM ?= .venv-build/bin/sam
DEPLOY := PYTHONPATH=infra/local $(PYTHON) infra/deploy.py

.PHONY: build
build: .venv-build/.ready ## Build the functions for Lambda: build/functions/<name>/ and build/zips/<name>.zip (ARCH=x86_64|arm64)
	rm -rf build/lambda build/functions build/zips
	CARGO_TARGET_DIR=build/target PATH="$(CURDIR)/.venv-build/bin:$$PATH" $(CARGO) lambda build --release --locked \
	  --$(if $(filter arm64,$(ARCH)),arm64,x86-64) --lambda-dir build/lambda $(FUNCTIONS:%=-p landfall-%)
	@mkdir -p build/zips
	@set -e; for f in $(FUNCTIONS); do \
	  mkdir -p build/functions/$$f; \
	  cp build/lambda/$$f/bootstrap build/functions/$$f/; \
	  cp -R meta_data build/functions/$$f/; \
	  (cd build/functions/$$f && ../../../.venv-build/bin/python -m zipfile -c ../../zips/$$f.zip bootstrap meta_data); \
	done
	@.venv-build/bin/python infra/check_bootstrap.py --arch $(ARCH) $(FUNCTIONS:%=build/zips/%.zip)
	@$(call check_built_metadata,build/functions)

# Functions that were built for this machine's platform check the metadata beside them.
check_built_metadata = case "$(ARCH)-$$(uname -sm)" in "x86_64-Linux x86_64" | "arm64-Linux aarch64") \
	(cd $(1)/validate && ./bootstrap) && (cd $(1)/curate && ./bootstrap) ;; esac

.PHONY: package
package: build ## Build, and put everything that a deployment needs into build/package (ARCH=)
	@$(DEPLOY) package --arch $(ARCH) build/package

# Errors are reported before anything is built.
.PHONY: deploy
deploy: export DEPLOY_ENV := $(DEPLOY_ENV)
deploy: export STACK := $(STACK)
deploy: export REGION := $(REGION)
deploy: export CONFIRM := $(CONFIRM)
deploy: export PARAMETERS := $(PARAMETERS)
deploy: export DEPLOY_OPTIONS := $(DEPLOY_OPTIONS)
deploy: $(if $(filter file,$(origin SAM)),.venv-build/.ready-deploy) ## Deploy to the account of your credentials (ENV=, STACK=, REGION=, PARAMETERS="Name=value …", CONFIRM=0, PACKAGE=, ARCH=)
	@$(DEPLOY) check --arch $(ARCH) $(PACKAGE)
	@$(if $(PACKAGE),,$(MAKE) --no-print-directory package)
	@$(DEPLOY) deploy --sam $(SAM) $(or $(PACKAGE),build/package)

# The account of the deleted stack, and logical names of resources that no longer exist, e.g.
# WITHOUT="DeadLetters CurateLogs".
ACCOUNT ?=
WITHOUT ?=

.PHONY: adopt
adopt: export PARAMETERS := $(PARAMETERS)
adopt: .venv-build/.ready-deploy ## Write the change set that imports the remains of a deleted stack (STACK=, REGION=, ACCOUNT=, WITHOUT=)
	@PYTHONPATH=infra/local:infra .venv-build/bin/python infra/adopt.py --stack '$(STACK)' --region '$(REGION)' \
	  --account '$(ACCOUNT)' --without '$(WITHOUT)' build/adopt

.PHONY: clean
clean: ## Remove everything that make has created
	rm -rf .local .venv* build target

# -------------------------------------------------------------------------------------------------------- prerequisites

# pip and cargo in parallel, because both take minutes the first time.
.PHONY: ready
ready:
	@$(MAKE) --no-print-directory -j2 venv functions

.PHONY: venv
venv: $(VENV)/.ready
	@:

# Each function as Lambda finds it: a folder with `bootstrap` and `meta_data`. The binary is replaced by a rename,
# because a running one cannot be overwritten ("Text file busy"). So a half-written one is never started, either.
.PHONY: functions
functions:
	@$(CARGO) build $(FUNCTIONS:%=-p landfall-%) -p landfall
	@set -e; \
	put() { [ "$$1" -ef "$$2" ] || { ln -f "$$1" "$$2.$$$$" 2>/dev/null || cp "$$1" "$$2.$$$$"; mv -f "$$2.$$$$" "$$2"; }; }; \
	mkdir -p .local; put $(TARGET)/debug/landfall .local/landfall; \
	for f in $(FUNCTIONS); do \
	  folder=$(BUILT)/$$f; mkdir -p $$folder; put $(TARGET)/debug/$$f $$folder/bootstrap; \
	  [ "$$(readlink $$folder/meta_data)" = '$(CURDIR)/$(META_DATA)' ] || \
	    ln -sfn '$(CURDIR)/$(META_DATA)' $$folder/meta_data; \
	done

# Simultaneous makes create each environment once. An incomplete one is made again.
$(VENV)/.ready: infra/local/requirements.txt
	@$(call make_venv,$@ $<)

$(VENV)/.ready-dev: infra/local/requirements-dev.txt $(VENV)/.ready
	@$(call make_venv,$@ $< --onto)

.venv-build/.ready: infra/requirements-build.txt
	@$(call make_venv,$@ $<)

.venv-build/.ready-deploy: infra/requirements-deploy.txt .venv-build/.ready
	@$(call make_venv,$@ $< --onto)

# The libraries with which analysts read the tables.
.venv-readers/.ready: tests/reading/requirements.txt
	@$(call make_venv,$@ $<)

# The tools that validate and curate are compared with, including data_linter 6.3.6. The project does not need them.
.venv-compare/.ready: tests/compare/requirements.txt
	@$(call make_venv,$@ $<)

.venv-glue/.ready: tests/compare/requirements-glue.txt
	@$(call make_venv,$@ $<)

.venv-spark/.ready: tests/compare/requirements-spark.txt
	@java -version >/dev/null 2>&1 || { echo "Java 17 or later is needed for Spark; none was found" >&2; exit 1; }
	@$(call make_venv,$@ $<)

# Clients whose requirements conflict with the others'.
.venv-awscli/.ready .venv-dbt/.ready .venv-pydbtools/.ready: .venv-%/.ready: tests/clients/requirements-%.txt
	@$(call make_venv,$@ $<)

# $(call make_venv,<stamp> <requirements> [--onto])
define make_venv
set -e; \
python='$(PYTHON)'; [ -n "$$python" ] || { echo "Python 3.11 or later is needed; none was found (PYTHON=... to name one)" >&2; exit 1; }; \
"$$python" infra/make_venv.py $(1)
endef
