#!/usr/bin/env bash
# fuzz.sh PROGRAM SECONDS [TARGET...]: libFuzzer on each target for so long, from the committed corpus and what
# earlier calls found. Stops at the first fault: its file is named last, and the exit code is 1.
set -euo pipefail
program=$1 seconds=$2
shift 2
source_dir=$(dirname "${BASH_SOURCE[0]}")
found=$(dirname "$(dirname "$program")")/fuzz # build-fuzz/fuzz/TARGET: new files; TARGET.log; faults
mapfile -t all < <("$program" 2>&1 | sed -n 's/^targets: //p' | tr ' ' '\n')
[ $# -gt 0 ] || set -- "${all[@]}"

# Of every input: at most 5 s and 1 GB, under sanitizers that make both several times as much.
limits=(-timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=1024 -max_len="${FUZZ_MAX_LEN:-65536}")
export ASAN_OPTIONS=allocator_may_return_null=0:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

printf '%-16s %12s %10s %10s %8s %s\n' target executions edges features corpus "new files"
for target in "$@"; do
  case " ${all[*]} " in *" $target "*) ;; *)
    printf 'fuzz: no target %s; there are: %s\n' "$target" "${all[*]}" >&2
    exit 2
    ;;
  esac
  mkdir -p "$found/$target"
  log=$found/$target.log
  status=0
  "$program" "$target" "${limits[@]}" -max_total_time="$seconds" -print_final_stats=1 \
    -artifact_prefix="$found/fault-$target-" "$found/$target" "$source_dir/corpus/$target" >"$log" 2>&1 || status=$?
  last=$(grep -a 'cov: ' "$log" | tail -n 1 || true)
  value() { sed -n "s/.* $1: \([0-9]*\).*/\1/p" <<<"$last"; }
  stat() { sed -n "s/^stat::$1: *//p" "$log"; }
  printf '%-16s %12s %10s %10s %8s %s\n' "$target" "$(stat number_of_executed_units)" "$(value cov)" "$(value ft)" \
    "$(value corp)" "$(stat new_units_added)"
  [ "$status" -eq 0 ] || {
    grep -a -m 1 -E 'ERROR|runtime error|terminate called|what\(\)' "$log" || tail -n 5 "$log"
    printf 'fuzz: %s found a fault; log: %s; reproduce: %s %s FILE\nFILE: %s\n' "$target" "$log" "$program" "$target" \
      "$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)"
    exit 1
  }
done
printf 'no fault in %s target%s\n' $# "$([ $# -eq 1 ] || echo s)"
