#!/usr/bin/env bash
# Say in Markdown what a change does to the costs of the specs, and post it to the pull request.
# Reads FILES, BASE, COMMENT, and GH_TOKEN and PULL_REQUEST where it is to be posted.
set -euo pipefail
shopt -s globstar nullglob
# Patterns are meant to be expanded here.
# shellcheck disable=SC2206
files=(${FILES})
: >"${COMMENT}"
for file in "${files[@]}"; do
  if git diff --quiet "${BASE}" -- "${file}"; then
    continue
  fi
  if git cat-file -e "${BASE}:./${file}" 2>/dev/null; then
    mbprof diff "${BASE}:./${file}" "${file}" --format md >>"${COMMENT}"
  else
    mbprof table "${file}" --by block --format md >>"${COMMENT}"
  fi
  echo >>"${COMMENT}"
done
if [ -s "${COMMENT}" ]; then
  cat "${COMMENT}"
  if [ -n "${PULL_REQUEST:-}" ]; then
    gh pr comment "${PULL_REQUEST}" --edit-last --create-if-none --body-file "${COMMENT}"
  fi
fi
