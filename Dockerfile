# SPDX-License-Identifier: LGPL-3.0-only
# flux-restd beside a Flux instance of its own: docs/deploying.md tells how to use it.
#   docker build -t flux-restd .
#   docker run --init -p 127.0.0.1:5000:5000 flux-restd
# base may be any Debian 12 that has Flux, such as one pinned by its digest.
ARG base=fluxrm/flux-sched:bookworm-amd64

FROM ${base} AS build
USER root
WORKDIR /src
COPY . .
RUN tools/install-packages build page
RUN tools/build build-image -Dflux=enabled -Dtests=disabled -Dprefix=/usr/local
RUN DESTDIR=/out /usr/bin/meson install -C build-image --no-rebuild --strip \
    && install -m 0755 packaging/container/entrypoint /out/usr/local/bin/flux-restd-entrypoint

FROM ${base}
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        curl libcurl4 libgnutls30 libhwloc15 libjansson4 libmicrohttpd12 libseccomp2 libsodium23 \
        libsqlite3-0 libuv1 zlib1g \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /
# No credentials are built in: a token given here stands in the image's history, so give it to
# `docker run` rather, as FLUX_TOKEN.
ARG user=
ARG token=
ARG use_auth=
ARG port=5000
ARG host=0.0.0.0
ENV FLUX_USER=${user} FLUX_TOKEN=${token} FLUX_REQUIRE_AUTH=${use_auth} PORT=${port} HOST=${host}
EXPOSE ${port}
USER fluxuser
WORKDIR /home/fluxuser
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD curl -fsS "http://127.0.0.1:${PORT}/readyz" || exit 1
ENTRYPOINT ["/usr/local/bin/flux-restd-entrypoint"]
