#!/bin/sh
# Runs the benchmarks in environments of their own: Celery and arq cannot share a redis-py, and the product's own
# environment stays as its users have it. Arguments go to `python -m benchmarks`.
set -eu
cd "$(dirname "$0")/.."
venv=${BENCH_VENV:-.venv-bench}
python=${PYTHON:-python3}

make_venv() { # folder, requirements
    if ! cmp -s "$2" "$1/requirements.installed"; then
        "$python" -m venv --clear "$1"
        "$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$2"
        cp "$2" "$1/requirements.installed"
    fi
}

make_venv "$venv/main" benchmarks/requirements-bench.txt
make_venv "$venv/arq" benchmarks/requirements-arq.txt
BENCH_ARQ_PYTHON=${BENCH_ARQ_PYTHON:-$(cd "$venv/arq/bin" && pwd)/python}
export BENCH_ARQ_PYTHON
exec "$venv/main/bin/python" -m benchmarks "$@"
