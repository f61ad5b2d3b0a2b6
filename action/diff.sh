#!/usr/bin/env bash
# Say in Markdown what a change does to the costs of the specs, and post it to the pull request.
# Reads PYTHON, FILES, BASE, COMMENT, and where it is to be posted NAME, GH_TOKEN, GITHUB_REPOSITORY,
# PULL_REQUEST.
# shellcheck source=action/common.sh
source "${BASH_SOURCE%/*}/common.sh"
if ! git cat-file -e "${BASE}^{commit}"; then
  echo "::error::mbprof: no base ${BASE} in this checkout; actions/checkout needs 'fetch-depth: 0'"
  exit 2
fi
set -f
# shellcheck disable=SC2206
patterns=(${FILES})
set +f

code() { # TEXT, as a span of code that it cannot end
  "${PYTHON}" -I -c 'import os, sys
from mbprof.output.inert import code
print(code(os.fsencode(sys.argv[1]).decode("utf-8", "backslashreplace")))' "$1"
}

same() { # reads the JSON of a difference
  "${PYTHON}" -I -c 'import json, sys
d = json.load(sys.stdin)
sys.exit(bool(d["changes"] or any(d["delta"].values()) or d["old"]["total"] != d["new"]["total"]))'
}

describe() { # FILE
  local file="$1" base="${BASE}:./${1#./}" new="" name difference costs error
  name="$(code "${file#./}")"
  if ! git cat-file -e "${base}" 2>/dev/null; then
    new=new
  elif difference="$(mbprof diff --format json -- "${base}" "${file}" 2>/dev/null)"; then
    if ! same <<<"${difference}"; then
      mbprof diff --format md -- "${base}" "${file}"
    fi
    return
  fi
  if costs="$(mbprof table --by block --format md -- "${file}" 2>/dev/null)"; then
    if [ -n "${new}" ]; then
      printf '%s is new:\n\n%s\n' "${name}" "${costs}"
    else
      error="$(mbprof table --format json -- "${base}" 2>&1 >/dev/null || true)"
      printf '%s: the base does not compile, so these are the new costs alone.\n\n' "${name}"
      printf '%s\n\n%s\n' "$(code "${error%%$'\n'*}")" "${costs}"
    fi
  elif ! mbprof check --fail-on error --format json -- "${file}" >/dev/null; then
    printf '%s does not compile:\n\n' "${name}"
    mbprof check --fail-on never --format md -- "${file}" || true
  elif [ -n "${new}" ] || ! git diff --quiet "${BASE}" -- "${file}"; then
    printf '%s, a block, is %s:\n\n' "${name}" "${new:-changed}"
    mbprof block --format md -- "${file}" || true
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
    printf '%s is deleted.\n\n' "$(code "${file}")" >>"${COMMENT}"
  done
if [ -s "${COMMENT}" ]; then
  logged cat "${COMMENT}"
fi

post() { # the comment that starts with this use's mark, and that this token's owner wrote, is ours
  local issues="repos/${GITHUB_REPOSITORY}/issues" text ids
  # What the token of a job may not ask is who it is.
  AUTHOR="$(gh api user --jq .login 2>/dev/null || echo 'github-actions[bot]')"
  MARK="<!-- mbprof ${NAME//[^A-Za-z0-9_. ]/-} -->"
  export AUTHOR MARK
  text="$(<"${COMMENT}")"
  if [ "${#text}" -gt 65000 ]; then
    text="${text:0:65000}"
    text="Cut at 65,000 characters; the log of the job has the rest."$'\n\n'"${text%$'\n'*}"
  fi
  ids="$(gh api --paginate "${issues}/${PULL_REQUEST}/comments" --jq \
    '.[] | select(.user.login == env.AUTHOR and (.body | startswith(env.MARK))) | .id')" || return
  if [ -n "${ids}" ]; then
    printf '%s\n%s\n' "${MARK}" "${text:-The costs are those of the base.}" |
      gh api --silent --method PATCH "${issues}/comments/${ids%%$'\n'*}" --field body=@-
  elif [ -n "${text}" ]; then
    printf '%s\n%s\n' "${MARK}" "${text}" |
      gh api --silent --method POST "${issues}/${PULL_REQUEST}/comments" --field body=@-
  fi
}

if [ -n "${PULL_REQUEST:-}" ] && ! post; then
  echo "::warning::mbprof: no comment was posted; the token may only read, as in a fork's pull request"
fi
