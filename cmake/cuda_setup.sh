#!/usr/bin/env bash
# usage: cuda_setup.sh [--compiler | --all]
# Installs what a CUDA build needs and this system lacks into .cache/cuda, from pinned PyPI wheels
# verified by hash (cuda-wheels.txt). --compiler: only nvcc and its headers (100 MB). --all: also
# cuBLAS and compute-sanitizer, for a machine with a GPU. Prints what it found and what it installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

what=${1:-}
folder=.cache/cuda
wheels=cmake/cuda-wheels.txt
toolkit=$folder/nvidia/cu13
say() { printf '==> %s\n' "$*"; }

# found FILE FOLDER...: prints the first folder that contains the file.
found() {
  local file=$1 place
  shift
  for place in "$@"; do
    if [ -e "$place/$file" ]; then
      echo "$place/$file"
      return 0
    fi
  done
  return 1
}

# The system's nvcc, if it is new enough (12.8 is the first to support sm_120).
system_nvcc() {
  local nvcc version
  for nvcc in "$(command -v nvcc || true)" "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" /opt/cuda/bin/nvcc; do
    [ -x "$nvcc" ] || continue
    version=$("$nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p')
    if [ "$(printf '%s\n12.8\n' "$version" | sort -V | head -n 1)" = 12.8 ]; then
      echo "$nvcc $version"
      return 0
    fi
  done
  return 1
}

packages=()
major=13
places=()
if system=$(system_nvcc); then
  say "CUDA ${system#* }: ${system% *}"
  major=${system#* }
  major=${major%%.*}
  root=$(dirname "$(dirname "$(readlink -f "${system% *}")")")
  places+=("$root/include" "$root/lib64" "$root/lib" "$root/targets/x86_64-linux/lib" "$root/bin")
elif [ -x $toolkit/bin/nvcc ]; then
  say "CUDA $($toolkit/bin/nvcc --version | sed -n 's/.*release \([0-9.]*\).*/\1/p'): $toolkit/bin/nvcc"
else
  packages+=(nvidia-cuda-nvcc nvidia-cuda-crt nvidia-nvvm nvidia-cuda-runtime nvidia-cuda-cccl)
fi
places+=(/usr/include /usr/local/include /usr/lib/x86_64-linux-gnu
  $folder/include $folder/nvidia/cudnn/include $folder/nvidia/cudnn/lib $folder/nvidia/cublas/lib
  $toolkit/lib $toolkit/bin)

# want NAME FILE PACKAGE: prints where it is, or adds the package to those to install.
want() {
  local path
  if path=$(found "$2" "${places[@]}"); then say "$1: $path"; else packages+=("$3"); fi
}
if [ "$what" != --compiler ]; then
  want "cuDNN's headers" cudnn_graph.h nvidia-cudnn-cu$major
  want "cudnn-frontend" cudnn_frontend.h nvidia-cudnn-frontend
fi
if [ "$what" = --all ]; then
  cublas=nvidia-cublas
  [ "$major" = 13 ] || cublas=nvidia-cublas-cu$major
  want cuDNN libcudnn.so.9 nvidia-cudnn-cu$major
  want cuBLAS "libcublas.so.$major" "$cublas"
  want compute-sanitizer compute-sanitizer nvidia-cuda-sanitizer-api
fi
if [ ${#packages[@]} -eq 0 ]; then
  say "all packages for a CUDA build are installed"
  exit 0
fi

say "installing into $folder: ${packages[*]}"
begin=$SECONDS
mkdir -p .cache
[ -x .cache/pip-venv/bin/pip ] || python3 -m venv .cache/pip-venv
download=$(mktemp -d .cache/wheels.XXXXXX)
trap 'rm -rf "$download"' EXIT
for package in "${packages[@]}"; do
  grep "^$package==" "$wheels" || { echo "cuda_setup.sh: $package is not in $wheels" >&2; exit 1; }
done | sort -u >"$download/requirements.txt"
platforms=()
for platform in manylinux_2_28 manylinux_2_27 manylinux_2_25 manylinux_2_17 manylinux2014 \
  manylinux_2_12 manylinux2010; do
  platforms+=(--platform "${platform}_x86_64")
done
.cache/pip-venv/bin/pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
  --only-binary=:all: --implementation cp --python-version 3.11 "${platforms[@]}" \
  --dest "$download" -r "$download/requirements.txt"
for wheel in "$download"/*.whl; do
  python3 -m zipfile -e "$wheel" "$download/tree"
done
# Wheels do not store file modes.
chmod +x "$download"/tree/nvidia/cu13/bin/* "$download"/tree/nvidia/cu13/nvvm/bin/* 2>/dev/null || true
mkdir -p $folder
cp -r "$download"/tree/. $folder/
say "installing took $((SECONDS - begin)) s"
