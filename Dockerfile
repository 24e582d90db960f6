# One image for both servers: `gateway serve` (the default) and `gateway relay`.
#
#     docker build -t gateway .
#     docker run -p 8787:8787 -v gateway:/data -e ADMIN_PASSWORD=... gateway
#     docker run -p 8788:8787 -e RELAY_PROXY_KEY=... gateway relay

FROM rust:1.95.0-slim-bookworm AS build
# The C library of SQLite and the allocator are compiled, too.
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package adapter-tokio --bin gateway \
    && mkdir /data

# No shell, no package manager, and no root: the binary, glibc and little else.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/gateway /gateway
# A new volume takes the folder's owner.
COPY --from=build --chown=65532:65532 /data /data
WORKDIR /data
VOLUME /data
ENV LISTEN=0.0.0.0:8787 DATABASE_URL=sqlite:///data/gateway.db LOG_FORMAT=json
EXPOSE 8787
USER 65532:65532
# The image has no other program that could ask.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/gateway", "health"]
ENTRYPOINT ["/gateway"]
CMD ["serve"]
