# Reads what `nvcc -Xptxas=-v` prints and an allow-list; prints every kernel that keeps variables in
# local memory (a stack frame: arrays that are indexed at run time) or spills registers there, and
# exits 1 if the list does not allow it.
#   awk -f ptxas_report.awk ALLOWED LOG...
# A line of the list: KERNEL BYTES REASON..., for any kernel whose name contains KERNEL, with up to
# BYTES of stack frame and of spills; every entry must still be needed by some kernel (an entry
# that nothing uses is an error, when all sources are compiled: -v complete=1).

FNR == 1 { file_number++ }
file_number == 1 {
  if ($0 !~ /^#/ && NF >= 3) allowed[$1] = $2
  if ($0 !~ /^#/ && NF > 0 && NF < 3) {
    print FILENAME ": an entry needs a kernel, bytes and a reason: " $0
    bad = 1
  }
  next
}

# ptxas info    : Compiling entry function '_ZN...' for 'sm_90'
/Compiling entry function/ {
  split($0, quoted, "'")
  kernel = quoted[2]
  architecture = quoted[4]
  kernels++
}

# "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" follows its function; device
# functions that were not inlined have a line of their own and count as the kernel before them.
/bytes stack frame/ {
  seen++
  frame = $1
  spills = $5 + $9
  if (frame == 0 && spills == 0) next
  most = frame > spills ? frame : spills
  limit = -1
  for (name in allowed) {
    if (index(kernel, name)) {
      used[name] = 1
      if (allowed[name] > limit) limit = allowed[name]
    }
  }
  verdict = limit < 0 ? "not allowed" : most > limit ? "more than the " limit " bytes allowed" : "allowed"
  if (most > limit) bad = 1
  print architecture " " kernel ": " frame " bytes of stack frame, " spills " bytes of spills: " verdict
}

END {
  if (complete) {
    for (name in allowed) {
      if (!(name in used)) {
        print "allow-list: nothing needs the entry for " name
        bad = 1
      }
    }
  }
  if (complete && seen == 0) {
    print "no kernel was reported: was it compiled with -Xptxas=-v?"
    bad = 1
  }
  printf "%d kernels looked at\n", kernels
  exit bad
}
