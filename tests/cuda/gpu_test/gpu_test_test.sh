#!/usr/bin/env bash
# Tests the parts of gpu-test that need no GPU: finding one, and the report, with dummy programs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { printf '%s\n' "$*"; exit 1; }

# pretend NAME TEXT STATUS: makes a dummy program that prints the text.
pretend() {
  printf '#!/bin/sh\ncat <<"END"\n%s\nEND\nexit %s\n' "$2" "$3" >"$work/$1"
  chmod +x "$work/$1"
}

# expect STATUS TEXT: checks find_gpu.sh's result for $NVIDIA_SMI.
expect() {
  local status=0 output
  output=$("$here/find_gpu.sh" 2>&1) || status=$?
  [ "$status" -eq "$1" ] || fail "status $status instead of $1: $output"
  grep -qF "$2" <<<"$output" || fail "no '$2' in: $output"
  [ "$(wc -l <<<"$output")" -eq 1 ] || fail "more than a line: $output"
}
NVIDIA_SMI=$work/absent expect 1 "no GPU was found: there is no $work/absent"
pretend broken "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver." 9
NVIDIA_SMI=$work/broken expect 1 "no GPU was found: $work/broken says: NVIDIA-SMI has failed"
pretend old "Tesla V100-SXM2-16GB, 7.0, 16384 MiB, 580.65" 0
NVIDIA_SMI=$work/old expect 1 "7.5 or newer is needed, here is: Tesla V100"
pretend good "NVIDIA H100 80GB HBM3, 9.0, 81559 MiB, 580.65" 0
NVIDIA_SMI=$work/good expect 0 "NVIDIA H100 80GB HBM3, 9.0"

# The report, from a build of dummies.
mkdir -p "$work/build/bin" "$work/path"
for program in inspect bench_kernels bench_resnet; do
  pretend "build/bin/$program" "$program says hello" 0
done
pretend build/bin/compare_step "161 tensors compared, the worst differs by 1.0e-05 (tolerance 2.0e-03): all within" 0
pretend path/cmake "built" 0
pretend build/bin/test_gpu_engine "[  PASSED  ] 117 tests." 0
echo "test_gpu_engine -Allocator.*" >"$work/build/gpu_tests.txt"
pretend path/ctest "100% tests passed, 0 tests failed out of 7" 0
export NVIDIA_SMI=$work/good PATH=$work/path:$PATH
"$here/gpu_test.sh" "$work/build" python3 --quick >"$work/output" ||
  fail "it failed: $(cat "$work/output" "$work/build/gpu-report.md")"
for text in 'H100' '117 tests' '100% tests passed' 'all within' 'bench_kernels says hello' 'bench_resnet says hello' \
  'All parts passed'; do
  grep -qF "$text" "$work/build/gpu-report.md" || fail "no '$text' in the report: $(cat "$work/build/gpu-report.md")"
done

# A failing part is reported, does not stop the others, and sets the final status.
pretend build/bin/compare_step "161 tensors compared: 3 beyond" 1
status=0
"$here/gpu_test.sh" "$work/build" python3 --quick >"$work/output" || status=$?
[ $status -eq 1 ] || fail "status $status after a part that failed"
grep -qF 'f32: **failed** (status 1)' "$work/build/gpu-report.md" || fail "the failure is not reported"
grep -qF 'bench_resnet says hello' "$work/build/gpu-report.md" || fail "the rest did not run"
grep -qE '^Failed: f32;' "$work/build/gpu-report.md" || fail "the end does not name what failed"
NVIDIA_SMI=$work/absent "$here/gpu_test.sh" "$work/build" python3 2>/dev/null && fail "ran without a GPU"
echo "gpu-test's own tests passed"
