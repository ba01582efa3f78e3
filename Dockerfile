# meridian in a container.
#
#   docker build --tag meridian .
#   docker run --rm -p 5300:5300/udp -p 5300:5300/tcp -p 127.0.0.1:8053:8053 meridian
#   dig @127.0.0.1 -p 5300 api.fingerprint.example.com +short +subnet=46.4.0.0/24
#
# Your own zones: --volume /path/to/zones:/etc/meridian/zones:ro

# Debian 12, as the image below: the program is linked against the C library that it will find there.
FROM docker.io/library/rust:1-bookworm AS build
WORKDIR /build
COPY . .
# Both caches stay with the builder, so that a change of one file does not compile 250 crates again. Symbols stay in the
# program for its panics; debug information, most of its size, does not.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin meridian \
    && strip --strip-debug -o /meridian target/release/meridian \
    && /meridian check --zones zones

# No shell, no package manager, no busybox: the C library, certificates and time zones. A static program on `scratch` would
# be smaller by 20 MB, but would need aws-lc built by another C compiler for musl, whose allocator and resolver behave
# differently from what is tested.
FROM gcr.io/distroless/cc-debian12
COPY --from=build /meridian /usr/bin/meridian
COPY zones /etc/meridian/zones

# All addresses of the container; the ports to publish are chosen at its start. Flags after the image's name win.
ENV MERIDIAN_ZONES=/etc/meridian/zones \
    MERIDIAN_LISTEN=0.0.0.0:5300,[::]:5300 \
    MERIDIAN_ADMIN=0.0.0.0:8053

# Ports above 1024 need no capability, so that nothing here runs as root. The number is distroless's `nonroot`, and a number
# because Kubernetes can't tell from a name that it is not root (runAsNonRoot).
USER 65532:65532
EXPOSE 5300/udp 5300/tcp 8053/tcp

# The program asks itself, at MERIDIAN_ADMIN: there is no curl, and no shell to run it.
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s --retries=3 \
    CMD ["/usr/bin/meridian", "healthcheck"]

STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/meridian"]
CMD ["serve"]
