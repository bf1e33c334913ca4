#!/bin/bash
# kernels_benchmark on a device: ops of 64 KiB and a bucket in a graph run, and where no GPU ran there are no times.
set -eu
runner=$1 program=$2
out=$("$runner" "$program" --benchmark_filter='^(int8/encode_ef|topk/encode|memcpy)/cuda/16384/|^bucket/.*/batch' \
      --benchmark_format=json 2>&1) || { echo "$out"; exit 1; }
ran=$(grep -c '"run_type"' <<<"$out")
[ "$ran" = 13 ] || { echo "$ran benchmarks ran, not 13: $out"; exit 1; }
if grep -q '"device": "ptxrun' <<<"$out"; then
  untimed=$(grep -c '"error_message": "ptxrun: no time"' <<<"$out")
  [ "$untimed" = "$ran" ] || { echo "$untimed of $ran say that they were not timed: $out"; exit 1; }
  if grep -E '"(GB/s|median_us)"' <<<"$out"; then echo "those are no figures"; exit 1; fi
else
  [ "$(grep -c '"of_floor"' <<<"$out")" = 12 ] || { echo "floors are missing: $out"; exit 1; }
fi
