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

.PHONY: run build test check bench fuzz soak format install docs deb test-deb release clean help

run: build
	exec build/flux-restd $(ARGS)

build:
	@tools/install-packages build
	@command -v npm >/dev/null 2>&1 || tools/install-packages page || \
	    echo 'Without npm the daemon is built without its page.'
	tools/build build

test:
	@tools/install-packages build check test fuzz deb ship docs
	@command -v npm >/dev/null 2>&1 || tools/install-packages page || true
	$(PYTHON) tools/run-tests

check:
	@tools/install-packages check
	$(PYTHON) tools/run-tests checks

bench: build
	@tools/install-packages bench
	$(PYTHON) tools/run-bench build

fuzz:
	@tools/install-packages build fuzz
	tools/run-fuzz $(SECONDS)

# A thousand kills of the daemon, and a hundred ways to break the broker where there is a Flux.
soak: build
	@tools/install-packages test
	FLUX_RESTD=build/flux-restd FLUX_RESTD_KILLS=1000 $(PYTHON) -m pytest -s tests/fault
	FLUX_RESTD=build/flux-restd FLUX_ROUNDS=100 FLUX_STOPPED=60 $(PYTHON) -m pytest -s tests/flux/test_broken.py

format:
	@tools/install-packages format
	find src tests -name '*.[ch]' -exec clang-format-14 -i {} +

install: build
	$(MESON) configure build --prefix '$(PREFIX)'
	tools/build build
	DESTDIR='$(DESTDIR)' $(MESON) install -C build --no-rebuild

docs: build
	@tools/install-packages docs
	tools/build-docs build

# FLUX=disabled: without the Flux engine, whatever is here.
deb: build
	@tools/install-packages deb
	tools/build-deb build-deb

# Some minutes, root and the network: a clean root by debootstrap.
test-deb:
	@tools/install-packages build deb testdeb
	FLUX=disabled tools/build-deb build-deb-local
	tests/deb/run build-deb-local

release: build
	@tools/install-packages deb release
	tools/release

clean:
	rm -rf build build-*

help:
	@echo 'make            build and run on http://127.0.0.1:5000/ (ARGS="--port 6000 ...")'
	@echo 'make build      build/flux-restd and its client build/flux-rest'
	@echo 'make test       every check and test; ends with a line that counts them'
	@echo 'make check      the static checks alone'
	@echo 'make bench      speed beside nginx, a bare loop and Flux; streams; memory; page'
	@echo 'make fuzz       each fuzz harness for SECONDS=60'
	@echo 'make soak       a thousand kills of the daemon, a hundred of the broker'
	@echo 'make format     format the C sources'
	@echo 'make install    into PREFIX=/usr/local, below DESTDIR if given'
	@echo 'make docs       the documentation as pages, in build-docs/site/'
	@echo 'make deb        Debian packages into build-deb/, looked at by lintian'
	@echo 'make test-deb   installs, upgrades and purges them in a clean root (as root)'
	@echo 'make release    tarball, packages, wheel and checksums in build-release/'
	@echo 'make clean      remove what was built'
