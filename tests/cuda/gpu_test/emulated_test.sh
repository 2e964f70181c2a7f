#!/usr/bin/env bash
# usage: emulated_test.sh BUILD
# gpu-test itself on the stand-in: each part but three runs once, with the emulated programs instead of the real ones,
# on small sizes. compute-sanitizer and PyTorch need a GPU (hence --quick); the builds and the tests without a device
# are replaced by dummies.
set -euo pipefail
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/build/bin" "$work/path"
fail() { printf '%s\n' "$*"; cat "$work/build/gpu-report.md"; exit 1; }

for program in inspect compare_step bench_kernels bench_resnet; do
  ln -s "$build/bin/${program}_emulated" "$work/build/bin/$program"
done
ln -s "$build/bin/test_kernels_cuda" "$work/build/bin/test_gpu_kernels"
ln -s "$build/bin/test_engine_cuda" "$work/build/bin/test_gpu_engine"
# A few of the tests; all of them also run on their own.
printf 'test_gpu_kernels Pool2d.*\ntest_gpu_engine Conv2d*\n' >"$work/build/gpu_tests.txt"
pretend() { printf '#!/bin/sh\ncat <<"END"\n%s\nEND\n' "$2" >"$work/path/$1" && chmod +x "$work/path/$1"; }
pretend nvidia-smi "stand-in on the CPU, 9.0, 4096 MiB, 580.65"
pretend cmake "nothing to build"
pretend ctest "100% tests passed, 0 tests failed out of 0"

export PATH=$work/path:$PATH NVIDIA_SMI=$work/path/nvidia-smi HANOK_HOME=$work/home
export HANOK_BENCH_SIZE=small BENCHMARK_MIN_TIME=0.001
export HANOK_GPU_TEST_STEP="--model resnet18 --batch 8 --size 64"
"$here/gpu_test.sh" "$work/build" python3 --quick >"$work/output" 2>&1 || fail "it failed: $(cat "$work/output")"
expect() { grep -qE "$1" "$work/build/gpu-report.md" || fail "no '$1' in the report"; }
expect 'cuda:0 stand-in on the CPU \(sm_90\)'
expect 'PASSED.* [1-9][0-9]* tests'
expect 'all within'
expect '^[1-9][0-9]* plans are stored'
for bench in cuda/unary/relu cuda/gemm cuda/conv2d/backward_weights/layer4.3x3 ResNet18/inference/batch:2 \
  ResNet18/train/full/batch:2 ResNet50/train/head/batch:2; do
  expect "$bench.*[0-9]"
done
expect 'All parts passed'
if grep -q 'ERROR' "$work/build/gpu-report.md"; then fail "a benchmark failed"; fi
echo "every part of gpu-test that the stand-in can play ran"
