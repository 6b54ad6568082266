# What puts the load on in `make e2e`, as services/api/Dockerfile: soak, and k6 with the
# load tests.
FROM scratch
COPY soak /soak
COPY k6 /k6
COPY lib /test/lib
COPY scenarios /test/scenarios
COPY data /test/data
USER 65532:65532
ENTRYPOINT ["/soak"]
