# Every target has a help text; make alone prints them.
.DEFAULT_GOAL := help
SHELL := /bin/sh

BIN     := bin/glmtray$(if $(filter windows,$(GOOS)),.exe)
RELEASE ?=
LDFLAGS := -s -w $(if $(RELEASE),-X main.release=$(RELEASE))
SOURCES := $(shell find app proxy tray assets -type f 2>/dev/null | grep -v _test.go) go.mod go.sum

.PHONY: help build run demo test test-unit test-clients test-desktop pictures lint bench fuzz clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: $(BIN) ## build bin/glmtray

$(BIN): $(SOURCES)
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./app/cmd/glmtray

run: $(BIN) ## run the program with its tray and your own settings
	$(BIN)

demo: $(BIN) ## run the proxy on its built-in upstream: no account, no network
	@echo 'A tool call:   send a prompt that contains  demo:tool get_weather {"city":"Rome"}'
	@echo 'A failure:     send  demo:429  demo:error 1308  demo:cut  demo:html  demo:slow'
	@echo 'All of them:   send  demo:help      Stop with Ctrl-C.'
	@echo "Try it:        curl http://127.0.0.1:$${ZCODE_PROXY_PORT:-$${PORT:-8080}}/v1/chat/completions -d '{\"model\":\"glm-4.6\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'"
	@$(BIN) serve --demo

test: test-unit test-clients test-desktop ## run all tests: unit tests with -race, real clients, real desktops

# What the tests need besides Go; where it may not be installed they are skipped.
.PHONY: tools
tools:
	build/desktop/install.sh

test-unit: tools ## run the Go tests with -race, then the long ones without
	go test -race -short ./...
	@# Each stream torn and cut at every byte: without -race, which is ten times slower.
	go test -run 'Torn|Suite' ./proxy/...

test-clients: $(BIN) ## run Claude Code and other real clients, and the official SDKs, against the demo
	build/clients/run.sh
	build/sdks/run.sh

# Where the tests leave pictures of what they saw.
ARTIFACTS ?= $(CURDIR)/bin/artifacts

test-desktop: tools $(BIN) ## run the tray in real panels, the window in a browser, the Windows build in wine
	GLMTRAY_ARTIFACTS=$(ARTIFACTS) go test -tags desktop -timeout 10m ./build/desktop

pictures: test-desktop ## make the pictures of the README anew
	convert $(ARTIFACTS)/xfce4-panel-menu.png -crop 296x404+0+0 +repage -strip build/desktop/pictures/menu.png
	convert $(ARTIFACTS)/activity-detail.png -strip -define png:compression-level=9 build/desktop/pictures/window.png

lint: ## check formatting, vet, tidiness of go.mod, other systems
	build/lint.sh

bench: ## measure the translation: ns and allocations per event and per request
	go test -run '^$$' -bench . -benchmem ./proxy/...

FUZZTIME ?= 1m
fuzz: ## run each fuzz target for FUZZTIME (1m)
	build/fuzz.sh $(FUZZTIME)

clean: ## remove what was built
	rm -rf bin
