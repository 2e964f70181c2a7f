#!/usr/bin/env bash
# usage: compile.sh [-a "75 90"] [-l ALLOWED] [-j JOBS] [FILE.cu...]
# Compiles kernels for every supported architecture, warnings as errors, and checks ptxas' report of local memory and
# spills. Without files: all of kernels/cuda. NVCC sets the compiler.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../../.."

architectures="75 80 90 100 120"
allowed=$here/allowed_local_memory.txt
jobs=$(nproc)
while getopts a:l:j: option; do
  case $option in
    a) architectures=$OPTARG ;;
    l) allowed=$OPTARG ;;
    j) jobs=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))

nvcc=${NVCC:-}
for candidate in "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc .cache/cuda/nvidia/cu13/bin/nvcc; do
  [ -n "$nvcc" ] || [ ! -x "$candidate" ] || nvcc=$candidate
done
[ -n "$nvcc" ] || { echo "compile.sh: no nvcc (./dev setup --cuda installs one)" >&2; exit 1; }

complete=0
files=("$@")
if [ $# -eq 0 ]; then
  complete=1
  files=(kernels/cuda/*/*.cu)
fi
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
export HANOK_NVCC=$nvcc HANOK_LOGS=$logs HANOK_FLAGS="-std=c++20 -O3 --expt-relaxed-constexpr \
-Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror -Xptxas=-v"
for architecture in $architectures; do
  HANOK_FLAGS+=" -gencode=arch=compute_$architecture,code=sm_$architecture"
done
launcher=$(command -v ccache || true)
export HANOK_LAUNCHER=$launcher CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

compile_one() {
  local name=${1//\//_} rounding=-fmad=false
  case ${1##*/} in gemm* | conv2d*) rounding= ;; esac  # as hanok_compile_cuda of cmake/cuda.cmake
  # shellcheck disable=SC2086 # a list of flags
  if $HANOK_LAUNCHER "$HANOK_NVCC" $HANOK_FLAGS $rounding -Iinclude -c "$1" -o "$HANOK_LOGS/$name.o" \
    >"$HANOK_LOGS/$name.log" 2>&1; then
    rm -f "$HANOK_LOGS/$name.o"
  else
    grep -v 'ptxas info\|bytes stack frame' "$HANOK_LOGS/$name.log" >&2
    echo "compile.sh: $1 does not compile" >&2
    return 1
  fi
}
export -f compile_one

begin=$SECONDS
# The largest first, to balance the load.
ls -S "${files[@]}" | xargs -P "$jobs" -I{} bash -c 'compile_one {}'
awk -v complete=$complete -f "$here/ptxas_report.awk" "$allowed" "$logs"/*.log
echo "${#files[@]} files compiled for sm_${architectures// /, sm_} in $((SECONDS - begin)) s," \
  "no unexpected local memory"
