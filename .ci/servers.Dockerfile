# The servers that `make test REDIS=…` tests with: .ci/install takes them out of these
# images, by the names after AS. A Dockerfile, so that Dependabot keeps the digests;
# nothing is built of it.
#
# The chart's own Redis is redis-7.4, by the same digest: redis.image.tag in
# deploy/helm/qst/values.yaml; a test compares them.
#
# 7.0, the oldest that the service runs on, gets no more releases: by its last tag.
FROM docker.io/library/redis:7.0.15-bookworm AS redis-7.0
FROM docker.io/library/redis:7.4.11-bookworm@sha256:71da9275c5f3fcb97d0fa0c8c5b36cc995327265420f17a04bfd544f458059f7 AS redis-7.4
FROM docker.io/library/redis:8.2.9-bookworm@sha256:7d1e4ce8b9395088377ab382d1f6cfdbd13b3690795198a0399ab8d683064d6d AS redis-8
FROM docker.io/valkey/valkey:8.1.10@sha256:640c5e62cea04b6d6f2084232651d0cc70362d31f4f805e7be94dbed6855e8f2 AS valkey-8
