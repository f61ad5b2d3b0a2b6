#!/usr/bin/env bash
# Check the specs: SARIF for the code host, a table for the log, and a status for the last step.
# Reads FILES, FAIL_ON, SARIF; writes the status, and the SARIF file if there is one, to GITHUB_OUTPUT.
set -euo pipefail
shopt -s globstar nullglob
# Patterns are meant to be expanded here.
# shellcheck disable=SC2206
files=(${FILES})
if [ "${#files[@]}" -eq 0 ]; then
  echo "mbprof: no file matches '${FILES}'" >&2
  exit 2
fi
status=0
mbprof check "${files[@]}" --fail-on "${FAIL_ON}" --format md || status=$?
if [ "${status}" -le 1 ]; then
  mbprof check "${files[@]}" --fail-on never --format sarif -o "${SARIF}"
  echo "sarif=${SARIF}" >>"${GITHUB_OUTPUT}"
fi
echo "status=${status}" >>"${GITHUB_OUTPUT}"
