#!/bin/sh
# install.sh TOOLS: builds the gateway of Vanguard, by go.mod and go.sum beside this file, as TOOLS/vanguard-VERSION.
set -eu
version=0.4.0
to=$1/vanguard-$version
[ -x "$to/gateway" ] && exit 0
cd "$(dirname "$0")"
mkdir -p "$to"
go build -buildvcs=false -trimpath -o "$to/gateway" .
