# One image for all of snipbench's services: the command says which. No BuildKit needed.
# Builds behind a proxy: put its CA certificates (*.crt) into deploy/ca/.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
ENV DEBIAN_FRONTEND=noninteractive PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY deploy/ca/ /usr/local/share/ca-certificates/
RUN apt-get update -q \
 && apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \
      bubblewrap ca-certificates openjdk-17-jre-headless python3 python3-venv tini \
 && update-ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
ENV REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# Everything in one stage: a second one would copy a gigabyte of libraries each time a line of ours changes.
WORKDIR /src
COPY requirements.lock ./
ARG PIP_INDEX_URL
# Libraries bring their own tests along, a hundred megabytes of them.
RUN python3 -m venv /opt/snipbench \
 && /opt/snipbench/bin/pip install --quiet --require-hashes -r requirements.lock \
 && find /opt/snipbench/lib -type d -name tests -prune -exec rm -r {} +
COPY deploy/jars/ /src/jars/
COPY pyproject.toml README.md LICENSE ./
COPY snipbench snipbench
COPY executor executor
COPY monitor monitor
COPY analyzer analyzer
COPY orchestrator orchestrator
# The jars are verified against the lock file and belong to the image, as class data archives do: a start resolves
# nothing, and takes 40 % less CPU time. Jars that are here are taken; where none is, they are resolved.
RUN /opt/snipbench/bin/pip install --quiet --no-deps --no-build-isolation . \
 && { ! ls jars/*.jar >/dev/null 2>&1 || export SNIPBENCH_JARS=/src/jars; \
      XDG_CACHE_HOME=/opt/cache /opt/snipbench/bin/python -m orchestrator.jars; } \
 && XDG_CACHE_HOME=/opt/cache /opt/snipbench/bin/python -m orchestrator.archives \
 && useradd --system --uid 10001 --home-dir /var/lib/snipbench --create-home snipbench
COPY configs /usr/share/snipbench/configs
ENV PATH=/opt/snipbench/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/opt/cache \
    SNIPBENCH_HOME=/var/lib/snipbench \
    SNIPBENCH_MACHINE_LOCK=/var/lib/snipbench/machine.lock
USER snipbench
WORKDIR /var/lib/snipbench
ENTRYPOINT ["/usr/bin/tini", "--", "snipbench"]
CMD ["serve"]
