# What a newcomer needs: `make image` and `make test`. Each installs the system packages it lacks.

# The golden image takes its packages from this machine's own apt sources, so it needs Debian 12. On
# other releases of Debian and Ubuntu `make image` builds the minimal image of what is there.
SYSTEM := $(shell . /etc/os-release && echo $$ID-$$VERSION_ID)
ifeq ($(SYSTEM),debian-12)
RECIPE ?= recipes/golden-debian-12.toml
else
RECIPE ?= recipes/minimal-host.toml
SETTINGS ?= $(shell . /etc/os-release && echo --set distribution=$$ID --set suite=$$VERSION_CODENAME)
endif
STORE  ?= store
CODE = Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Engines Benchmarks/peers
PROGRAM = .build/release/build-snapshot

.PHONY: image build test lint format setup-build setup-boot setup-test clean

## image: build the program, then the image of RECIPE in STORE, boot it, publish it; prints its path
image: build setup-boot
	$(PROGRAM) $(RECIPE) $(SETTINGS) --store $(STORE)

## build: the program, optimised
build: setup-build
	swift build -c release --product build-snapshot

## test: every test that this machine can run
test: setup-test
	scripts/test

## lint: formatting and style, warnings included
lint:
	swift format lint --recursive --parallel --strict $(CODE)

## format: put the code into the project's format
format:
	swift format --in-place --recursive --parallel $(CODE)

setup-build:
	@scripts/setup build

# QEMU, which boots the image before it is published.
setup-boot:
	@scripts/setup boot

setup-test:
	@scripts/setup build test

clean:
	swift package clean
