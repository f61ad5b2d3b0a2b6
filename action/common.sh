# shellcheck shell=bash
# What the steps share: which files, and how strangers' text gets into a log. Sourced, not run.
set -euo pipefail
shopt -s globstar nullglob

mbprof() { "${PYTHON}" -I -m mbprof "$@"; }

# Patterns are meant to be expanded here; what matches is a path and no option.
# shellcheck disable=SC2206
files=(${FILES})
files=("${files[@]/#-/./-}")

logged() { # runs a command; in what it prints, no line is a command to the runner
  local token status=0
  token="$("${PYTHON}" -I -c 'import secrets; print(secrets.token_hex(16))')"
  echo "::stop-commands::${token}"
  "$@" 2>&1 || status=$?
  printf '\n::%s::\n' "${token}"
  return "${status}"
}
