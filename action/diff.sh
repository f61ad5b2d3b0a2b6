#!/usr/bin/env bash
# Say in Markdown what a change does to the costs of the specs, and post it to the pull request.
# Reads FILES, BASE, COMMENT, and where it is to be posted GH_TOKEN, GITHUB_REPOSITORY, PULL_REQUEST.
set -euo pipefail
shopt -s globstar nullglob
if ! git cat-file -e "${BASE}^{commit}"; then
  echo "::error::mbprof: no base ${BASE} in this checkout; actions/checkout needs 'fetch-depth: 0'"
  exit 2
fi
set -f
# shellcheck disable=SC2206
patterns=(${FILES})
set +f
# Patterns are meant to be expanded here.
# shellcheck disable=SC2206
files=(${FILES})

same() { # reads the JSON of a difference
  python -c 'import json, sys
d = json.load(sys.stdin)
sys.exit(bool(d["changes"] or any(d["delta"].values()) or d["old"]["total"] != d["new"]["total"]))'
}

describe() { # FILE
  local file="$1" base="${BASE}:./$1" new="" difference costs error
  if ! git cat-file -e "${base}" 2>/dev/null; then
    new=new
  elif difference="$(mbprof diff "${base}" "${file}" --format json 2>/dev/null)"; then
    if ! same <<<"${difference}"; then
      mbprof diff "${base}" "${file}" --format md
    fi
    return
  fi
  if costs="$(mbprof table "${file}" --by block --format md 2>/dev/null)"; then
    if [ -n "${new}" ]; then
      printf "\`%s\` is new:\n\n%s\n" "${file}" "${costs}"
    else
      error="$(mbprof table "${base}" --format json 2>&1 >/dev/null || true)"
      printf "\`%s\`: the base does not compile, so these are the new costs alone.\n\n" "${file}"
      printf "\`%s\`\n\n%s\n" "${error%%$'\n'*}" "${costs}"
    fi
  elif ! mbprof check "${file}" --fail-on error --format json >/dev/null; then
    printf "\`%s\` does not compile:\n\n" "${file}"
    mbprof check "${file}" --fail-on never --format md || true
  elif [ -n "${new}" ] || ! git diff --quiet "${BASE}" -- "${file}"; then
    printf "\`%s\`, a block, is %s:\n\n" "${file}" "${new:-changed}"
    mbprof block "${file}" --format md || true
  fi
}

: >"${COMMENT}"
for file in "${files[@]}"; do
  if [ -e "${file}" ]; then
    text="$(describe "${file}")"
    if [ -n "${text}" ]; then
      printf '%s\n\n' "${text}" >>"${COMMENT}"
    fi
  fi
done
git diff -z --name-only --no-renames --diff-filter=D --relative "${BASE}" -- \
  "${patterns[@]/#/:(glob)}" |
  while IFS= read -r -d '' file; do
    printf "\`%s\` is deleted.\n\n" "${file}" >>"${COMMENT}"
  done
cat "${COMMENT}"

post() { # the comment that starts with the marker is ours: one for a pull request
  local marker="<!-- mbprof -->" issues="repos/${GITHUB_REPOSITORY}/issues" text ids
  text="$(<"${COMMENT}")"
  if [ "${#text}" -gt 65000 ]; then
    text="${text:0:65000}"
    text="Cut at 65,000 characters; the log of the job has the rest."$'\n\n'"${text%$'\n'*}"
  fi
  ids="$(gh api --paginate "${issues}/${PULL_REQUEST}/comments" \
    --jq ".[] | select(.body | startswith(\"${marker}\")) | .id")" || return
  if [ -n "${ids}" ]; then
    printf '%s\n%s\n' "${marker}" "${text:-The costs are those of the base.}" |
      gh api --silent --method PATCH "${issues}/comments/${ids%%$'\n'*}" --field body=@-
  elif [ -n "${text}" ]; then
    printf '%s\n%s\n' "${marker}" "${text}" |
      gh api --silent --method POST "${issues}/${PULL_REQUEST}/comments" --field body=@-
  fi
}

if [ -n "${PULL_REQUEST:-}" ] && ! post; then
  echo "::warning::mbprof: no comment was posted; the token may only read, as in a fork's pull request"
fi
