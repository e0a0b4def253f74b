#!/bin/sh
# install.sh TOOLS: builds structured-proxy from crates.io as TOOLS/structured-proxy-VERSION, with our profile `dist`.
set -eu
version=8.1.5
to=$1/structured-proxy-$version
[ -x "$to/bin/structured-proxy" ] && exit 0
# What [profile.dist] of the workspace says; cargo install knows only its own profile, so that is set to the same.
export CARGO_PROFILE_RELEASE_OPT_LEVEL=3 CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1
# It asks for a newer compiler than it needs. Not --locked: its lock names versions that not every registry mirror has.
cargo install --quiet --ignore-rust-version --root "$to.part" --target-dir "$to.build" \
    --features cli "structured-proxy@$version"
mv "$to.part" "$to"
rm -rf "$to.build"
