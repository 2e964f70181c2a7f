#!/usr/bin/env bash
# Tests compile.sh and its report on kernels that spill, and on one that does not.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
list=$(mktemp)
trap 'rm -f "$list"' EXIT

# expect STATUS TEXT ARGUMENTS...: checks compile.sh's exit status and that its output contains the text.
expect() {
  local status=0 output wanted=$1 text=$2
  shift 2
  output=$("$here/compile.sh" -j 1 "$@" 2>&1) || status=$?
  if [ "$status" -ne "$wanted" ] || ! grep -qE "$text" <<<"$output"; then
    printf 'compile.sh %s\nexpected status %s and /%s/, got status %s and:\n%s\n' \
      "$*" "$wanted" "$text" "$status" "$output"
    exit 1
  fi
}

expect 0 '^1 kernels looked at' -a 90 "$here/clean.cu"
expect 1 'indexing_kernel.*64 bytes of stack frame, 0 bytes of spills: not allowed' -a 90 "$here/spills.cu"
expect 1 'spilling_kernel.* bytes of spills: not allowed' -a 75 "$here/spills.cu"

printf 'spilling_kernel 1000 a test\nindexing_kernel 64 a test\n' >"$list"
expect 0 'no unexpected local memory' -a 90 -l "$list" "$here/spills.cu"
printf 'spilling_kernel 8 a test\nindexing_kernel 64 a test\n' >"$list"
expect 1 'more than the 8 bytes allowed' -a 90 -l "$list" "$here/spills.cu"
printf 'spilling_kernel 1000\n' >"$list"
expect 1 'an entry needs a kernel, bytes and a reason' -a 90 -l "$list" "$here/clean.cu"

echo 'allow-list entries that nothing needs, and warnings, are errors too'
printf 'some_kernel 8 a test\n' >"$list"
printf '%s\n' "ptxas info    : Compiling entry function 'k' for 'sm_90'" \
  "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" |
  awk -v complete=1 -f "$here/ptxas_report.awk" "$list" - >"$list.out" && exit 1
grep -q 'nothing needs the entry for some_kernel' "$list.out"
printf '__global__ void warns() { int unused; }\n' >"$list.cu"
expect 123 'does not compile' -a 90 "$list.cu"
rm -f "$list.out" "$list.cu"
