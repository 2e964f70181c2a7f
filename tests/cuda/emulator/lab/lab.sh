#!/usr/bin/env bash
# lab.sh FILE.cu [arguments of its main...]: compiles a CUDA file with g++ alone, runs it in the emulator, and reports
# the cost of its memory accesses and its errors. Exit code 0: no findings. CXX sets another compiler, HANOK_LAB_DIR
# another output folder (default build/cuda-lab).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)
file=$(realpath -- "$1")
shift
here=$root/tests/cuda/emulator
out=${HANOK_LAB_DIR:-$root/build/cuda-lab}
compiler=${CXX:-g++}
includes=(-I "$here/include" -I "$root/include" -I "$root" -I "$here/lab")
mkdir -p "$out/source"

# The emulator itself: compiled at the first run, later only what has changed (about 20 s on 2 cores).
launcher=()
if command -v ccache >/dev/null; then launcher=(ccache); fi
objects=()
if [ ! -e "$out/stamp" ] ||
  [ -n "$(find "$here" "$root/tests/cuda/standin" -name '*.h' -newer "$out/stamp")" ]; then
  rm -f "$out"/*.o
fi
compile=()
for source in "$here"/*.cpp "$here"/races/*.cpp "$here"/lab/*.cpp \
  "$root"/tests/cuda/standin/{machine,memory,protection,streams}.cpp; do
  object=$out/$(basename "$(dirname "$source")")_$(basename "$source" .cpp).o
  objects+=("$object")
  if [ ! -e "$object" ] || [ "$source" -nt "$object" ]; then compile+=("$source" "$object"); fi
done
if [ ${#compile[@]} -gt 0 ]; then
  echo "compiling the emulator (once)" >&2
  printf '%s\n' "${compile[@]}" | xargs -P "$(nproc)" -n 2 bash -c \
    '"${@:1:$#-2}" -c "${@:$#-1:1}" -o "${@:$#}"' _ "${launcher[@]}" "$compiler" -std=c++20 -O2 "${includes[@]}"
  touch "$out/stamp"
fi

# Not needed for a file with its own main().
name=$(basename "$file" .cu)
if grep -qE '^ *(int|auto) +main *\(' "$file"; then
  kept=()
  for object in "${objects[@]}"; do [[ $object == */lab_main.o ]] || kept+=("$object"); done
  objects=("${kept[@]}")
fi

# CUDA's two notations that are not C++ become calls; line numbers are kept.
{
  echo '#include "hanok_lab.h"'
  echo "#line 1 \"$file\""
  gap='[[:space:]]' align='__align__\([^)]*\)' name_pattern='[A-Za-z_][A-Za-z0-9_]*'
  sed -E -z \
    -e 's/([A-Za-z_][A-Za-z0-9_:]*(<[^<>;(){}]*>)?)[[:space:]]*<<<([^>;]*)>>>/::hanok::lab::Launcher(\1, \3)/g' \
    -e "s/extern$gap+__shared__$gap+($align$gap*)?([A-Za-z_][A-Za-z0-9_ ]*[ ])($name_pattern)$gap*\[$gap*\]/\
auto* \3 = ::hanok::cuda::dynamic_shared<\2>()/g" \
    "$file"
} >"$out/source/$name.cu"
# -O1 does not merge or remove accesses; -fsanitize=thread makes each access call the emulator (its functions are
# linked, not the sanitizer's).
"$compiler" -std=c++20 -O1 -g -fsanitize=thread -fno-strict-aliasing -Wall -Wno-unknown-pragmas \
  -Wno-sign-compare -iquote "$(dirname "$file")" "${includes[@]}" -x c++ -c "$out/source/$name.cu" -o "$out/$name.cu.o"
"$compiler" "$out/$name.cu.o" "${objects[@]}" -lpthread -o "$out/$name"
HANOK_LAB_FILE=$file HANOK_LAB_PICTURE=$out/$name.svg "$out/$name" "$@"
