# One image for all of snipbench's services: the command says which.
# Builds behind a proxy: put its CA certificates (*.crt) into deploy/ca/.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS base
ENV DEBIAN_FRONTEND=noninteractive PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY deploy/ca/ /usr/local/share/ca-certificates/
RUN apt-get update -q \
 && apt-get install -y -q --no-install-recommends \
      bubblewrap ca-certificates openjdk-17-jre-headless python3 python3-venv tini \
 && update-ca-certificates \
 && rm -rf /var/lib/apt/lists/*
ENV REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt

FROM base AS build
WORKDIR /src
RUN python3 -m venv /opt/snipbench
COPY requirements.lock ./
RUN /opt/snipbench/bin/pip install --quiet --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY snipbench snipbench
COPY executor executor
COPY monitor monitor
COPY analyzer analyzer
COPY orchestrator orchestrator
RUN /opt/snipbench/bin/pip install --quiet --no-deps --no-build-isolation .
# The jars are verified against the lock file and belong to the image: a start resolves nothing.
RUN XDG_CACHE_HOME=/opt/cache /opt/snipbench/bin/python -m orchestrator.jars

FROM base
RUN useradd --system --uid 10001 --home-dir /var/lib/snipbench --create-home snipbench
COPY --from=build /opt/snipbench /opt/snipbench
COPY --from=build /opt/cache /opt/cache
COPY configs /usr/share/snipbench/configs
ENV PATH=/opt/snipbench/bin:$PATH \
    XDG_CACHE_HOME=/opt/cache \
    SNIPBENCH_HOME=/var/lib/snipbench \
    SNIPBENCH_MACHINE_LOCK=/var/lib/snipbench/machine.lock
USER snipbench
WORKDIR /var/lib/snipbench
ENTRYPOINT ["/usr/bin/tini", "--", "snipbench"]
CMD ["serve"]
