# Two commands do it all on a fresh checkout: `make run` and `make test`. Each sets up what the
# machine lacks, and does nothing twice. The work is done by scripts/, one file per matter.

.PHONY: help run demo test soak simulate lint format page wasm release fuzz bench bench-wasm clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: ## build, and serve the page with the bundled recording (ARGS="DIR --bind ADDRESS" for others)
	@scripts/run.sh $(ARGS)

demo: ## a cluster to watch: QuestDB under load, a shipper, two replicas, the page on their bucket (ARGS="--port PORT")
	@scripts/demo.sh $(ARGS)

test: ## run all tests (PARTS="rust wasm page live replica e2e failover stores cluster" for some of them, one after the other)
	@scripts/test.sh $(PARTS)

soak: ## prove replicas against the real QuestDB at length: 10,000 scenarios, 500 kills; goes on where it stopped
	@scripts/soak.sh

simulate: ## 100,000 seeds of a cluster with everything that can go wrong; goes on where it stopped (SEEDS=A..B)
	@scripts/simulate.sh $(SEEDS)

lint: ## formats, clippy, documentation, the page's linter and types
	@scripts/test.sh format lint docs page

format: ## format Rust and the page
	cargo fmt
	@scripts/setup.sh node
	@if [ -f package.json ]; then npm run --silent format; fi

wasm: ## the module for the browser, quickly built, into pkg/
	@scripts/wasm.sh build

page: ## the page with that module, into dist/
	@scripts/page.sh

release: ## what is shipped: the module, the page, the command with the page inside
	@scripts/release.sh

fuzz: ## every decoder's fuzz target for a minute each (SECONDS_EACH=60, TARGETS=...)
	@scripts/fuzz.sh $(TARGETS)

bench: ## the native benchmarks
	cargo bench --no-default-features --bench apply --bench replay

bench-wasm: ## the same in node, as a ratio to native
	@scripts/bench-wasm.sh $(ARGS)

clean: ## remove everything that was built, the set-up's tools included
	cargo clean
	rm -rf dist dist-dev node_modules test-results pkg/understudy.js pkg/understudy.d.ts pkg/understudy_bg.wasm pkg/understudy_bg.wasm.d.ts pkg/understudy_ledger* pkg/understudy_parquet* pkg/understudy_sim*
