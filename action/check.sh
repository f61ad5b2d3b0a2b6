#!/usr/bin/env bash
# Check the specs: SARIF for the code host, a table for the log, and a status for the last step.
# Reads PYTHON, FILES, FAIL_ON, SARIF; writes the status, and the SARIF file if there is one, to
# GITHUB_OUTPUT.
# shellcheck source=action/common.sh
source "${BASH_SOURCE%/*}/common.sh"
if [ "${#files[@]}" -eq 0 ]; then
  echo "mbprof: no file matches '${FILES}'" >&2
  exit 2
fi
status=0
logged mbprof check --fail-on "${FAIL_ON}" --format md -- "${files[@]}" || status=$?
if [ "${status}" -le 1 ]; then
  logged mbprof check --fail-on never --format sarif -o "${SARIF}" -- "${files[@]}"
  echo "sarif=${SARIF}" >>"${GITHUB_OUTPUT}"
fi
echo "status=${status}" >>"${GITHUB_OUTPUT}"
