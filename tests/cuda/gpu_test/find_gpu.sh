#!/usr/bin/env bash
# Prints one line per GPU; if there is none, one line that says so, and exit status 1. NVIDIA_SMI sets the driver's tool
# (for tests).
set -euo pipefail
smi=${NVIDIA_SMI:-nvidia-smi}
if ! command -v "$smi" >/dev/null; then
  echo "gpu-test: no GPU was found: there is no $smi, so no NVIDIA driver is installed" \
    "(570 or newer is needed, and a GPU of compute capability 7.5 or newer)" >&2
  exit 1
fi
query=--query-gpu=name,compute_cap,memory.total,driver_version
if ! gpus=$("$smi" "$query" --format=csv,noheader 2>&1) || [ -z "$gpus" ]; then
  echo "gpu-test: no GPU was found: $smi says: $(head -n 1 <<<"$gpus")" >&2
  exit 1
fi
usable=$(awk -F', ' '$2 >= 7.5' <<<"$gpus")
if [ -z "$usable" ]; then
  echo "gpu-test: no usable GPU was found: compute capability 7.5 or newer is needed, here is:" \
    "$(head -n 1 <<<"$gpus")" >&2
  exit 1
fi
echo "$usable"
