# Commands for developers and operators; `make help` lists them. Commands with STAGE=… need AWS credentials.

PYTHON ?= python3
PORT ?= 8000

VENV := .venv
PY := $(VENV)/bin/python
REQUIREMENTS := infra/requirements
RUN_INSTALLED := $(VENV)/.installed-run
INSTALLED := $(VENV)/.installed-test

DYNOXIDE_VERSION := 1.2.1
DYNOXIDE := .local/npm/.dynoxide-$(DYNOXIDE_VERSION)

NPM_TOOLS := .local/npm-tools
NPM_INSTALLED := $(NPM_TOOLS)/.installed-$(firstword $(shell cksum < infra/npm/package-lock.json))

SCRIPTS := "chalicelib/pages/assets/**/*.js"
PRETTIER := $(NPM_TOOLS)/node_modules/.bin/prettier --config infra/npm/prettier.json

# Print the table of `make model`, whose parts the tests of the model write.
SHOW_MODEL := cat build/model/*.md 2>/dev/null || echo "*** SKIPPED: the model was not checked; run \`make java\` ***" >&2

# Return a variable only if it is set on the command line, because some shells export HOST or NAME.
given = $(if $(filter command line,$(origin $(1))),$($(1)))

# Return an option for a variable that is set to yes on the command line.
yes = $(if $(filter yes,$(call given,$(1))),$(2))

export DYNAMODB_ENDPOINT
export BENCH_LINKS

.DEFAULT_GOAL := help
.PHONY: help openapi schemas run test bench lint fmt types dynoxide chromium key keys revoke-key package deploy destroy screenshots restore redrive-outbox rotate-keys clean

help: ## list these targets
	@awk -F ':.*## ' '/^##@ /{print "\n" substr($$0, 5)} /^[a-z-]+:.*## /{printf "  %-18s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Use

run: $(RUN_INSTALLED) ## run the product on this machine; Ctrl-C saves and stops: [PORT=8000] [DYNAMODB_ENDPOINT=http://…]
	@exec $(PY) -m infra.local.run --port $(PORT)

key: $(RUN_INSTALLED) ## create an API key, on this machine or on AWS: ROLE=admin|host [HOST=hst_…] [NAME=…] [STAGE=…]
	@$(PY) -m infra.operate.api_keys --stage "$(STAGE)" create --role "$(ROLE)" $(if $(call given,HOST),--host "$(HOST)") $(if $(call given,NAME),--name "$(NAME)")

.PHONY: admin
admin: $(RUN_INSTALLED) ## create an admin key with a stage's function make_admin, without access to its table: STAGE=… NAME=…
	@$(PY) -m infra.operate.admin --stage "$(STAGE)" --name "$(call given,NAME)"

keys: $(RUN_INSTALLED) ## list API keys: [STAGE=…]
	@$(PY) -m infra.operate.api_keys --stage "$(STAGE)" list

revoke-key: $(RUN_INSTALLED) ## revoke an API key: KEY_ID=… [STAGE=…]
	@$(PY) -m infra.operate.api_keys --stage "$(STAGE)" revoke "$(KEY_ID)"

clean: ## remove .venv, build and caches; .local (your local data) stays
	rm -rf $(VENV) build .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.local/*' -prune -exec rm -rf {} +

##@ Develop

test: $(INSTALLED) dynoxide npm-tools chromium faketime java runtime ## run everything that CI runs: linters, types, all tests, and some tests on two other dates
	@$(MAKE) --no-print-directory --jobs=2 lint types bytecode
	@rm -rf build/model
	$(PY) -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist loadfile; status=$$?; $(SHOW_MODEL); exit $$status
	$(PY) -m tests.dates --quick

# Without .pyc files, each worker and each date compiles all tests and packages, which takes half a minute of CPU each.
# Empty means that Python writes them.
test test-dates: export PYTHONDONTWRITEBYTECODE :=

# Workers start at the same time, so each would compile everything if one process did not do it before them.
.PHONY: bytecode
bytecode: $(INSTALLED)
	@collected=$$($(PY) -m pytest --collect-only -q 2>&1) || { echo "$$collected"; exit 1; }

.PHONY: model
model: $(INSTALLED) java ## check the TLA+ model of docs/model, its broken variants and traces of the code; print a table
	@rm -rf build/model
	@$(PY) -m pytest tests/model -q -ra; status=$$?; $(SHOW_MODEL); exit $$status

.PHONY: test-dates
test-dates: $(INSTALLED) chromium faketime ## run the tests that depend on a clock on dates that often break tests: [ON="leap-day new-year"]
	@$(PY) -m tests.dates $(if $(ON),--on $(ON))

.PHONY: proof
proof: $(INSTALLED) dynoxide java ## run the race, history, model and hostile-input tests with many more examples, and the integration tests on ministack, about an hour
	@rm -rf build/model
	PROOF=large $(PY) -m pytest tests/proof tests/upgrade tests/history tests/model tests/hostile tests/integration tests/deployed/test_imports.py tests/deployed/test_acceptance.py tests/infra/publish \
		tests/deployed/test_stopped_consumers.py tests/unit/event_types/test_slots.py -rP; status=$$?; $(SHOW_MODEL); exit $$status

lint: $(INSTALLED) lint-openapi lint-scripts ## run ruff, the import contracts, and the linters of the API description and the scripts
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(VENV)/bin/lint-imports

.PHONY: lint-openapi
lint-openapi: npm-tools ## check docs/openapi.json with Redocly and Spectral
	@if [ -e $(NPM_INSTALLED) ]; then \
		REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
			$(NPM_TOOLS)/node_modules/.bin/redocly lint --config infra/npm/redocly.yaml docs/openapi.json && \
		$(NPM_TOOLS)/node_modules/.bin/spectral lint --fail-severity=warn --ruleset infra/npm/spectral.yaml docs/openapi.json; \
	fi

# The types of the API's resources come from docs/openapi.json. ESLint reads its configuration next to the installed tools.
.PHONY: lint-scripts
lint-scripts: npm-tools ## check the pages' scripts with tsc --checkJs --strict, ESLint and Prettier
	@if [ -e $(NPM_INSTALLED) ]; then \
		mkdir -p build/types && cp infra/npm/eslint.config.mjs $(NPM_TOOLS)/ && \
		$(NPM_TOOLS)/node_modules/.bin/openapi-typescript docs/openapi.json --output build/types/openapi.d.ts >/dev/null && \
		$(NPM_TOOLS)/node_modules/.bin/tsc --project infra/npm/tsconfig.json && \
		$(NPM_TOOLS)/node_modules/.bin/eslint --config $(NPM_TOOLS)/eslint.config.mjs $(SCRIPTS) && \
		$(PRETTIER) --check --log-level=warn $(SCRIPTS); \
	fi

types: $(INSTALLED) ## check types with mypy --strict
	$(PY) -m mypy

fmt: $(INSTALLED) ## format the code and fix what ruff can fix
	$(PY) -m ruff check --fix-only
	$(PY) -m ruff format
	@if [ -e $(NPM_INSTALLED) ]; then $(PRETTIER) --write --log-level=warn $(SCRIPTS); fi

bench: $(INSTALLED) dynoxide ## measure everything, about ten minutes: [ONLY="costs prices"] [BENCH_LINKS="1000 100000"]
	@$(PY) -m tests.bench $(ONLY)

.PHONY: performance-docs
performance-docs: $(INSTALLED) ## update docs/performance.md with the results of make bench
	@$(PY) -m tests.bench.report.performance_docs

openapi: $(RUN_INSTALLED) ## write docs/openapi.json and the glossary's tables from the code
	@$(PY) -m infra.generate.openapi
	@$(PY) -m infra.generate.glossary

.PHONY: glossary
glossary: $(RUN_INSTALLED) ## write the tables of docs/glossary.md from the code
	@$(PY) -m infra.generate.glossary

schemas: $(RUN_INSTALLED) ## write docs/schemas/events from the code
	@$(PY) -m infra.generate.event_schemas

.PHONY: crawlers
crawlers: $(INSTALLED) ## write chalicelib/domain/links/crawlers.py; run it after upgrading crawler-user-agents
	@$(PY) -m infra.generate.crawlers

.PHONY: zone-rules
zone-rules: $(RUN_INSTALLED) ## write chalicelib/pages/invitee/zone_rules.json; run it after upgrading tzdata
	@$(PY) -m infra.generate.zone_rules

screenshots: $(INSTALLED) chromium ## take the screenshots of README.md and docs/hosts.md again
	@$(PY) -m tests.e2e.screenshots

.PHONY: lock
lock: $(RUN_INSTALLED) ## update requirements.txt and infra/requirements/*.txt from infra/requirements/*.in
	@$(REQUIREMENTS)/lock.sh

##@ Release

.PHONY: release
release: $(RUN_INSTALLED) ## make a release of the committed main branch: VERSION=0.2.0 [PLAN=yes]
	@$(PY) -m infra.release.release --version "$(VERSION)" $(call yes,PLAN,--plan)

.PHONY: release-check
release-check: $(RUN_INSTALLED) ## build a release again and compare it with its record: VERSION=0.2.0
	@$(PY) -m infra.release.check --version "$(VERSION)"

.PHONY: publish
publish: $(RUN_INSTALLED) ## put a release into regional buckets, to install it from the AWS console: VERSION=… BUCKET=prefix [REGIONS="eu-central-1 us-east-1"] [READERS="account ids"|o-…|public|none] [CONFIRM=public]
	@$(PY) -m infra.publish.publish --version "$(VERSION)" --bucket "$(BUCKET)" --regions "$(call given,REGIONS)" --readers "$(call given,READERS)" --confirm "$(call given,CONFIRM)"

##@ Operate on AWS

package: $(RUN_INSTALLED) ## build the zip and the template for AWS: [STAGE=dev] [ARCHITECTURE=arm64|x86_64]
	@$(PY) -m infra.package.build --stage "$(or $(STAGE),dev)" --architecture "$(or $(ARCHITECTURE),arm64)"

deploy: $(RUN_INSTALLED) ## create or update a stage on AWS: STAGE=… [PLAN=yes] [ARCHITECTURE=…] [BUCKET=…] [WATCH=minutes] [OPEN=yes] [SWITCH=yes] [EMPTY=yes] [DEPLOY_ROLE=arn]
	@$(PY) -m infra.deploy.deploy deploy --stage "$(STAGE)" --architecture "$(or $(ARCHITECTURE),arm64)" --bucket "$(BUCKET)" $(if $(WATCH),--watch "$(WATCH)") $(call yes,PLAN,--plan) $(call yes,OPEN,--open) $(call yes,SWITCH,--switch) $(call yes,EMPTY,--empty) --role "$(DEPLOY_ROLE)"

.PHONY: deployer-policy
deployer-policy: $(RUN_INSTALLED) ## print the least permissions to deploy or restore a stage: STAGE=… [DOCUMENT=command|restore|execution|boundary] [ACCOUNT=…] [REGION=…] [BOUNDARY=arn] [DEPLOY_ROLE=arn]
	@$(PY) -m infra.deploy.deployer_policy --stage "$(STAGE)" --document "$(or $(DOCUMENT),command)" --account "$(ACCOUNT)" --region "$(REGION)" --boundary "$(BOUNDARY)" --role "$(DEPLOY_ROLE)"

.PHONY: acceptance
acceptance: $(INSTALLED) ## test a deployed stage, clean up, and write a report (docs/acceptance.md): STAGE=… CONFIRM=… [DRILL=yes] [LINKS=100] [CLIENTS=16] | STAGE=… CLEAN=yes
	@$(PY) -m tests.acceptance --stage "$(STAGE)" --confirm "$(call given,CONFIRM)" $(call yes,DRILL,--drill) $(call yes,CLEAN,--clean) $(if $(call given,LINKS),--links "$(LINKS)") $(if $(call given,CLIENTS),--clients "$(CLIENTS)")

destroy: $(RUN_INSTALLED) ## delete a stage; its data stays: STAGE=… CONFIRM=… [LOSE=yes]
	@$(PY) -m infra.deploy.deploy destroy --stage "$(STAGE)" --confirm "$(CONFIRM)" $(call yes,LOSE,--lose)

restore: $(RUN_INSTALLED) ## restore a stage's table, or continue a restore (docs/operate.md): STAGE=… [TO=2026-11-21T10:00:00Z] [GAP=revoke] [COUNT=skip] [TABLE=…] [REPORT=yes] [BUCKET=…]
	@$(PY) -m infra.restore.command --stage "$(STAGE)" --to "$(call given,TO)" --gap "$(GAP)" --count "$(call given,COUNT)" --table "$(call given,TABLE)" $(call yes,REPORT,--report) --bucket "$(BUCKET)" --architecture "$(or $(ARCHITECTURE),arm64)"

redrive-outbox: $(RUN_INSTALLED) ## publish the events that the outbox crashed on; fix the cause first (docs/operate.md): STAGE=…
	@$(PY) -m infra.operate.redrive --stage "$(STAGE)"

rotate-keys: $(RUN_INSTALLED) ## change a stage's signing key (docs/operate.md): STAGE=… STEP=add|use|retire [KEY=1]
	@$(PY) -m infra.operate.signing_keys --stage "$(STAGE)" --step "$(STEP)" $(if $(call given,KEY),--key "$(KEY)")

# `make run` and the operator's commands install only what they need. Linting and testing install the rest.
$(RUN_INSTALLED): $(REQUIREMENTS)/run.txt $(REQUIREMENTS)/install.sh
	@echo "Installing the requirements of make run into $(VENV) …"
	@PYTHON="$(PYTHON)" $(REQUIREMENTS)/install.sh run
	@touch $@

$(INSTALLED): $(REQUIREMENTS)/test.txt $(REQUIREMENTS)/install.sh
	@echo "Installing the requirements of the tests into $(VENV) …"
	@PYTHON="$(PYTHON)" $(REQUIREMENTS)/install.sh test
	@$(PY) -m pip check
	@touch $(RUN_INSTALLED) $@

##@ Installed by make test

# dynoxide is a binary for Linux on x86-64. Without it, its tests are skipped with a warning.
dynoxide: ## install dynoxide, the second local DynamoDB engine, for race and crash tests
	@if [ -e $(DYNOXIDE) ]; then :; \
	elif [ "$$(uname -sm)" != "Linux x86_64" ]; then \
		echo "*** SKIPPED: dynoxide exists only for Linux on x86-64; its tests will be skipped ***" >&2; \
	elif ! command -v npm >/dev/null; then \
		echo "*** SKIPPED: installing dynoxide needs npm; its tests will be skipped ***" >&2; \
	else \
		echo "Installing dynoxide $(DYNOXIDE_VERSION) …"; \
		mkdir -p .local/npm && \
		npm install --prefix .local/npm --no-save --ignore-scripts --no-audit --no-fund --loglevel=error \
			@dynoxide/linux-x64@$(DYNOXIDE_VERSION) && touch $(DYNOXIDE); \
	fi

# The linters of the API description and the scripts, and the generator of TypeScript clients, are pinned by
# infra/npm/package-lock.json and installed without running their scripts. Without npm, linters and client tests are
# skipped with a warning; so is the comparison of minified scripts with their sources, which uses the parser of ESLint.
.PHONY: npm-tools
npm-tools: ## install the linters and type checkers from npm, for make lint, tests/clients and tests/unit/pages
	@if [ -e $(NPM_INSTALLED) ]; then :; \
	elif ! command -v npm >/dev/null; then \
		echo "*** SKIPPED: npm is not installed; the API description and the scripts are not linted, minified scripts are not compared with their sources, and no TypeScript client is generated ***" >&2; \
	else \
		echo "Installing the npm tools …"; \
		rm -rf $(NPM_TOOLS) && mkdir -p $(NPM_TOOLS) && \
		cp infra/npm/package.json infra/npm/package-lock.json infra/npm/.npmrc $(NPM_TOOLS)/ && \
		npm ci --prefix $(NPM_TOOLS) --ignore-scripts --no-audit --no-fund --loglevel=error && touch $(NPM_INSTALLED); \
	fi

# The browser tests use the first of these browsers on the PATH, otherwise Playwright's. Without one, they are skipped
# with a warning. Debian's headless shell comes first, because it uses half the CPU of the full browser.
chromium: $(INSTALLED) ## install a browser for the browser tests, unless one is installed
	@if command -v chromium-headless-shell >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Debian's headless Chromium …"; \
		if apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends chromium-headless-shell >/dev/null; then exit 0; fi; \
	fi; \
	for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		if command -v $$name >/dev/null; then exit 0; fi; \
	done; \
	$(PY) -m playwright install --only-shell chromium || \
		echo "*** SKIPPED: Chromium could not be installed; the browser tests will be skipped (Debian: apt-get install chromium-headless-shell) ***" >&2

# Tests on other dates use Debian's libfaketime. Without it, they are skipped with a warning.
.PHONY: faketime
faketime: ## install Debian's faketime, which shifts the clock for tests on other dates
	@if command -v faketime >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && { \
		echo "Installing Debian's faketime …"; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends faketime >/dev/null; \
	}; then :; \
	else \
		echo "*** SKIPPED: faketime could not be installed; tests run only on today's date (Debian: apt-get install faketime) ***" >&2; \
	fi

# The functions run on one version of Python, which compiles their code. Without it, tests of its .pyc files are skipped.
.PHONY: runtime
runtime: $(INSTALLED) ## find the functions' Python, or install it with uv into .local, for tests of the package
	@$(PY) -m infra.package.runtime

# TLC, the model checker of TLA+, needs Java. Without it, the tests of the model are skipped with a warning.
.PHONY: java
java: ## install Debian's headless Java, for the tests of the model
	@if java -version >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && { \
		echo "Installing Debian's headless Java …"; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends default-jre-headless >/dev/null; \
	}; then :; \
	else \
		echo "*** SKIPPED: Java could not be installed; the tests of the model will be skipped (Debian: apt-get install default-jre-headless; elsewhere: install any Java 8 or later) ***" >&2; \
	fi
