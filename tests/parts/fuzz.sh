# The gateway's fuzz targets; sourced by tests/run after install.sh.
#
# libFuzzer with the coverage that the stable compiler can add; no other toolchain is needed. What a target keeps between
# runs (its corpus) and what it finds (crash-*) is under the target folder.

fuzz_targets=(template route query json_to_wire wire_to_json frames descriptors http1 http2)
fuzz_folder=$target/fuzz

# The host as the compiler names it. With --target, build scripts and macros are built without instrumentation.
fuzz_host() { rustc -vV | sed -n 's/^host: //p'; }

build_fuzz() {
  local sancov=sanitizer-coverage
  RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-$sancov-level=4 -Cllvm-args=-$sancov-inline-8bit-counters
    -Cllvm-args=-$sancov-pc-table -Cllvm-args=-$sancov-trace-compares" \
    cargo build --quiet --release --manifest-path "$root/gateway/fuzz/Cargo.toml" --target "$(fuzz_host)" --target-dir "$fuzz_folder"
}

# run_fuzz SECONDS: each target for so long, two at a time; 1 if one finds something, which is then printed with its input.
run_fuzz() {
  local seconds=$1 name failed=0
  build_fuzz || return 1
  mkdir -p "$fuzz_folder/found"
  printf '%s\n' "${fuzz_targets[@]}" | xargs -P 2 -I NAME bash -c '
    folder=$1 seconds=$2 bin=$3/NAME
    mkdir -p "$folder/corpus/NAME"
    "$bin" "$folder/corpus/NAME" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 \
      -artifact_prefix="$folder/found/NAME-" -print_final_stats=1 >"$folder/NAME.log" 2>&1' _ \
    "$fuzz_folder" "$seconds" "$fuzz_folder/$(fuzz_host)/release" || failed=1
  for name in "${fuzz_targets[@]}"; do
    echo "fuzz $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$fuzz_folder/$name.log") inputs"
    grep -qE '^(==[0-9]+== )?(ERROR|.*SUMMARY)|panicked' "$fuzz_folder/$name.log" && tail -40 "$fuzz_folder/$name.log" >&2
  done
  return "$failed"
}
