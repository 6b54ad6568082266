# What puts the load on in `make e2e`, as services/api/Dockerfile.
FROM scratch
ARG TARGETARCH
COPY linux-${TARGETARCH}/soak /soak
USER 65532:65532
ENTRYPOINT ["/soak"]
