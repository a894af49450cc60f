# Everything a newcomer needs: `make run` and `make test`.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X main.version=$(VERSION)
BUILD    = CGO_ENABLED=0 go build -trimpath -ldflags='$(LDFLAGS)'
MODULES  = . objectstore e2e

.PHONY: build run test check bench update soak clean

build: ## bin/daypass and bin/daypass-objectstore
	@mkdir -p bin
	$(BUILD) -o bin/daypass ./cmd/daypass
	cd objectstore && $(BUILD) -o ../bin/daypass-objectstore ./cmd/daypass-objectstore

run: build ## a demo site on this machine; prints commands to paste
	./bin/daypass serve --dev

test: ## installs what is missing, runs all tests of all modules
	./scripts/test.sh

check: ## formatting, vet, staticcheck, layers, tidiness
	./scripts/check.sh

bench: build ## measures, prints ratios and budgets
	cd e2e && DAYPASS_BIN=$(CURDIR)/bin go run ./bench $(BENCHFLAGS)

update: ## rewrites golden files
	go test ./internal/api/... -update
	go test ./internal/gateway/s3 -update

soak: ## long fuzzing, kill loops and leak runs
	SOAK=1 ./scripts/test.sh

clean:
	rm -rf bin
