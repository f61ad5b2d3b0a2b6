#!/usr/bin/env bash
# Install mbprof beside the job's own Python, which stays as it is.
# Reads PYTHON, VENV, GITHUB_ACTION_PATH; writes the Python that has mbprof to GITHUB_OUTPUT.
set -euo pipefail
"${PYTHON}" -m venv "${VENV}"
python="${VENV}/bin/python"
[ -e "${python}" ] || python="${VENV}/Scripts/python.exe"
"${python}" -m pip install --quiet --disable-pip-version-check "${GITHUB_ACTION_PATH}"
echo "python=${python}" >>"${GITHUB_OUTPUT}"
