#!/usr/bin/env bash
# usage: gpu_test.sh BUILD PYTHON [--quick]
# Runs all tests that need a GPU and writes one report, BUILD/gpu-report.md: the tests on the device, a training step
# compared with the CPU's, compute-sanitizer, benchmarks, peers. Every part runs even if an earlier one failed; exit
# status 1 if any failed. --quick skips sanitizers and peers. HANOK_GPU_TEST_STEP: options of the compared training
# steps, smaller ones for a smoke test.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../../.."
build=$1
python=$2
quick=${3:-}
read -ra step <<<"${HANOK_GPU_TEST_STEP:---model resnet18 --batch 8 --size 224}"
report=$build/gpu-report.md
logs=$build/gpu-logs
mkdir -p "$logs"
failed=()

say() { printf '==> %s\n' "$*"; }
section() { printf '\n## %s\n\n' "$1" >>"$report"; }

# part NAME COMMAND...: runs it, keeps its output in the logs, and records the result in the report.
part() {
  local name=$1 begin=$SECONDS status=0 log
  shift
  log=$logs/$(tr -c 'a-z0-9\n' '-' <<<"$name").log
  say "$name"
  "$@" >"$log" 2>&1 || status=$?
  if [ $status -eq 0 ]; then
    echo "- $name: passed, $((SECONDS - begin)) s" >>"$report"
  else
    failed+=("$name")
    {
      echo "- $name: **failed** (status $status), $((SECONDS - begin)) s; the end of $log:"
      printf '\n```\n%s\n```\n\n' "$(tail -n 25 "$log")"
    } >>"$report"
  fi
  last_log=$log
}

gpus=$("$here/find_gpu.sh") || exit 1
{
  echo "# hanok on a GPU"
  echo
  echo "$(date -u '+%Y-%m-%d %H:%M') UTC, commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)," \
    "$(uname -sr)"
  echo
  echo '```'
  echo "$gpus"
  "$build/bin/inspect" devices
  echo '```'
} >"$report" 2>&1

precisions="tf32 bf16 f16"
if grep -q ', 7\.5' <<<"$gpus"; then precisions=f16; fi  # Turing supports no others

section "Tests"
part "programs that test the device" cmake --build "$build" --target gpu_tests
while read -r program filter; do
  part "$program" "$build/bin/$program" "--gtest_filter=$filter"
  printf '\n%s\n' "$(grep -E '^\[ +(PASSED|FAILED) +\]' "$last_log" | head -n 20)" >>"$report"
done <"$build/gpu_tests.txt"
part "all tests that need no device" ctest --test-dir "$build" --output-on-failure
printf '\n%s\n' "$(grep -E '^[0-9]+% tests passed' "$last_log")" >>"$report"
grep -E '\(Skipped\)$' "$last_log" | sed 's/^/    /' >>"$report"

section "A training step of ResNet18 beside the CPU's, layer by layer"
part "f32" "$build/bin/compare_step" "${step[@]}"
cat "$last_log" >>"$report"
for precision in $precisions; do  # a newly initialised ResNet amplifies rounding; the worst value of each tensor counts
  part "$precision" "$build/bin/compare_step" "${step[@]}" --precision $precision \
    --tolerance "$([ $precision = tf32 ] && echo 0.5 || echo 20)"
  tail -n 1 "$last_log" >>"$report"
done

section "Plans of cuDNN"
plans=$build/gpu-plans
rm -rf "$plans"
part "plans are measured and stored" env HANOK_CUDNN_AUTOTUNE=1 "HANOK_CUDNN_PLANS=$plans" \
  "$build/bin/compare_step" "${step[@]}"
part "stored plans are loaded" env HANOK_CUDNN_AUTOTUNE=1 "HANOK_CUDNN_PLANS=$plans" \
  "$build/bin/compare_step" "${step[@]}"
printf '\n%s plans are stored.\n' "$(find "$plans" -name '*.json' 2>/dev/null | wc -l)" >>"$report"

if [ "$quick" != --quick ]; then
  section "compute-sanitizer"
  sanitizer=$(command -v compute-sanitizer ||
    ls {.cache/cuda/nvidia/cu13,/usr/local/cuda}/bin/compute-sanitizer 2>/dev/null | head -n 1)
  # Errors returned by CUDA functions are handled by the programs: some tests provoke them.
  options=(--report-api-errors no --error-exitcode 9)
  for tool in memcheck racecheck synccheck; do
    part "$tool" "$sanitizer" --tool "$tool" "${options[@]}" \
      "$build/bin/compare_step" --model resnet18 --batch 2 --size 32 --tolerance 0.1
    while read -r program filter; do
      part "$tool $program" "$sanitizer" --tool "$tool" "${options[@]}" "$build/bin/$program" "--gtest_filter=$filter"
    done <"$build/gpu_tests.txt"
  done
fi

section "Benchmarks"
part "kernels" "$build/bin/bench_kernels" '--benchmark_filter=^cuda/'
{ echo; sed 's/^/    /' "$last_log"; } >>"$report"
for precision in f32 $precisions; do
  part "networks in $precision" "$build/bin/bench_resnet" --device cuda --precision $precision \
    '--benchmark_filter=ResNet(18|50)/(inference|train)'
  { echo; sed 's/^/    /' "$last_log"; } >>"$report"
done

if [ "$quick" != --quick ]; then
  section "Beside PyTorch"
  part "peers" "$python" bench/peers/run.py --device cuda --programs "$build/bin" --pairs 5 \
    --work inference,train/full --out "$logs"
  { echo; cat "$logs/bench-peers.md" 2>/dev/null; } >>"$report"
fi

if [ ${#failed[@]} -eq 0 ]; then
  printf '\nAll parts passed.\n' >>"$report"
  say "all parts passed; the report is $report"
else
  printf '\nFailed: %s.\n' "$(printf '%s; ' "${failed[@]}")" >>"$report"
  say "failed: $(printf '%s; ' "${failed[@]}")the report is $report"
  exit 1
fi
