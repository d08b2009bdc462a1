# What there is to do here. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TOP      := $(CURDIR)
TOOL     := go tool -modfile=$(TOP)/tools/go.mod
MODULES  := . deploy e2e
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
FUZZTIME ?= 30s
SOAK     ?= 1h
ROUNDS   ?= 20

.PHONY: help check setup fmt fmt-check lint test arrows e2e docs dead build demo fuzz mutate bench soak

help: ## list what there is to do
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-8s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

check: setup fmt-check lint test arrows e2e docs dead build ## everything that has to hold; what CI runs

setup: ## install what the checks need besides Go (Debian: by apt, as root)
	@tools/setup.sh

fmt: ## format the code
	$(TOOL) golangci-lint fmt

fmt-check:
	$(TOOL) golangci-lint fmt --diff
	@for dir in $(MODULES); do (cd $$dir && go mod tidy -diff); done

lint: ## ask the linters
	@for dir in $(MODULES); do echo "lint $$dir"; (cd $$dir && $(TOOL) golangci-lint run ./...); done

# What the container files' tests read lies outside their module, where the
# test cache does not look.
test: ## run the tests of the program and of its container files, with the race detector
	go test -race ./...
	cd deploy && go test -count=1 ./...

arrows: ## check who imports whom, and the links in the documents
	go test -count=1 ./internal/arrows

e2e: ## try the built program with a real browser, providers and front proxies
	cd e2e && go test -race -count=1 -timeout 30m ./...

docs: ## generate the documents, and fail if they said something else
	@before=$$(mktemp -d) && trap 'rm -rf "$$before"' EXIT && cp -r docs "$$before" && go generate ./... && diff -r "$$before/docs" docs

# The client is there for other programs, so its tests speak for them.
dead: ## find functions that neither the program nor the client reaches
	@dead=$$($(TOOL) deadcode -test ./cmd/gateway ./client | { grep -vE '\.(String|GoString|MarshalText|LogValue)$$' || true; }) && echo "$${dead:-nothing is dead}" && test -z "$$dead"

# nomsgpack: Gin's codec for MessagePack, which nobody speaks here, is 6 MB.
build: ## build bin/gateway, static
	CGO_ENABLED=0 go build -tags nomsgpack -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/gateway ./cmd/gateway

demo: ## run the demo
	go run ./cmd/gateway demo

fuzz: ## fuzz each target for FUZZTIME (30s)
	@tools/fuzz.sh $(FUZZTIME)

# What decides, and what reads requests, tokens and challenges. The front alone takes an
# hour or two; one file of it: cd tools && go run ./mutate ../internal/server check.go
mutate: ## leave out one check after another, and see that a test complains
	cd tools && go run ./mutate ../policy decide.go walk.go subjects.go networks.go
	cd tools && go run ./mutate ../internal/canonical host.go target.go segment.go method.go
	cd tools && go run ./mutate ../localauth open.go finish.go state.go record.go message.go refusal.go wrap.go
	cd tools && go run ./mutate ../sessions verify.go living.go held.go cached.go memo.go touch.go limits.go token.go handoff.go strict.go revoke.go apptokens.go apptoken.go apptext.go
	cd tools && go run ./mutate ../internal/server login.go stepup.go choose.go check.go authz.go authorization.go apptoken.go forwarded.go visitor.go headers.go app.go sender.go client.go site.go cookies.go device.go guest.go refusals.go hold.go handoff.go streams.go

bench: ## run the benchmarks; the program's own are beside bare handlers
	go test -run '^$$' -bench . -benchmem ./...
	cd e2e && go test -run '^$$' -bench . -benchtime 300x .

soak: ## hurt the built program for SOAK (1h), then run all tests ROUNDS (20) times in random order
	cd e2e && GATEWAY_SOAK=$(SOAK) go test -race -count 1 -timeout 0 -run '^TestFault' -v .
	GATEWAY_SOAK=$(SOAK) go test -race -count 1 -timeout 0 -run '^TestKilled$$' ./internal/store/sqlite
	go test -race -shuffle on -count $(ROUNDS) -timeout 0 ./...
