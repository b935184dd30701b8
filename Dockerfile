# One image for every process: producer, submit and collect workers, receiver.
FROM python:3.12.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/vton
WORKDIR /src
COPY requirements.txt ./
RUN /opt/vton/bin/pip install --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY jobs jobs
COPY worker worker
RUN /opt/vton/bin/pip install --no-deps --no-build-isolation . \
 && /opt/vton/bin/python -m compileall -q /opt/vton/lib \
 && /opt/vton/bin/pip uninstall -y -q setuptools pip

FROM python:3.12.12-slim-bookworm
RUN groupadd --gid 10001 vton \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin vton \
 && install -d -o 10001 -g 10001 -m 0750 /out /data /catalog
COPY --from=build /opt/vton /opt/vton
COPY config.yaml /etc/vton/config.yaml
# The root may be read-only: only /out, /data and /tmp are ever written to.
ENV PATH=/opt/vton/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VTON_CONFIG=/etc/vton/config.yaml \
    VTON_OUTPUT_DIR=/out \
    VTON_DATA_DIR=/data \
    VTON_LOGS__FORMAT=json \
    VTON_WORKERS__ALIVE_FILE=/tmp/vton-alive
USER 10001:10001
WORKDIR /catalog
VOLUME ["/out", "/data"]
# A worker that does not answer, or whose Redis does not. Other commands have no such file: the receiver is asked over HTTP.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
  CMD ["python", "-m", "worker.alive", "--ready", "/tmp/vton-alive"]
CMD ["vton", "--help"]
