# SPDX-License-Identifier: LGPL-3.0-only
# A thin layer over meson: each target installs the Debian packages that it misses, then calls
# meson or a script of tools/. `make help` lists the targets.

ARGS =
PREFIX = /usr/local
DESTDIR =
SECONDS = 60

# Debian's own, whatever else the PATH has first.
PYTHON = /usr/bin/python3
MESON = /usr/bin/meson

.PHONY: run build test check bench fuzz soak format install clean help

run: build
	exec build/flux-restd $(ARGS)

build:
	@tools/install-packages build
	tools/build build

test:
	@tools/install-packages build check test
	$(PYTHON) tools/run-tests

check:
	@tools/install-packages check
	$(PYTHON) tools/run-tests checks

bench: build
	@tools/install-packages bench
	$(PYTHON) tests/bench/bench.py build/flux-restd
	$(PYTHON) tests/bench/events.py build

fuzz:
	@tools/install-packages build fuzz
	tools/run-fuzz $(SECONDS)

# The fault tests with a thousand kills of the daemon.
soak: build
	@tools/install-packages test
	FLUX_RESTD=build/flux-restd FLUX_RESTD_KILLS=1000 $(PYTHON) -m pytest -s tests/fault

format:
	@tools/install-packages format
	find src tests -name '*.[ch]' -exec clang-format-14 -i {} +

install: build
	$(MESON) configure build --prefix '$(PREFIX)'
	tools/build build
	DESTDIR='$(DESTDIR)' $(MESON) install -C build --no-rebuild

clean:
	rm -rf build build-*

help:
	@echo 'make            build and run on http://127.0.0.1:5000/ (ARGS="--port 6000 ...")'
	@echo 'make build      build/flux-restd and its client build/flux-rest'
	@echo 'make test       every check and test; ends with a line that counts them'
	@echo 'make check      the static checks alone'
	@echo 'make bench      speed beside nginx, event streams, and memory'
	@echo 'make fuzz       each fuzz harness for SECONDS=60'
	@echo 'make soak       the fault tests with a thousand kills of the daemon'
	@echo 'make format     format the C sources'
	@echo 'make install    into PREFIX=/usr/local, below DESTDIR if given'
	@echo 'make clean      remove what was built'
