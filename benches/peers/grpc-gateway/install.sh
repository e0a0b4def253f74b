#!/bin/sh
# install.sh TOOLS: generates the handlers, and builds the gateway by go.mod and go.sum beside this file, as
# TOOLS/grpc-gateway-VERSION. The protobuf compiler comes from PyPI, its plugins from go.mod.
set -eu
version=2.33.0 protoc=1.85.1
to=$1/grpc-gateway-$version
[ -x "$to/gateway" ] && exit 0
here=$(cd "$(dirname "$0")" && pwd)
python=$1/protoc-$protoc
[ -x "$python/bin/python" ] && [ -e "$python/ok" ] || {
    # One that an interrupted run left behind is made anew.
    python3 -m venv --clear "$python"
    "$python/bin/python" -m pip install --quiet "grpcio-tools==$protoc"
    touch "$python/ok"
}
# Generated code is built in a copy, and never beside what is committed.
build=$to/build
rm -rf "$build"
mkdir -p "$build/bin"
cp "$here/go.mod" "$here/go.sum" "$here/main.go" "$build"
cd "$build"
GOBIN=$build/bin go install -buildvcs=false google.golang.org/protobuf/cmd/protoc-gen-go \
    google.golang.org/grpc/cmd/protoc-gen-go-grpc github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway
PATH=$build/bin:$PATH "$python/bin/python" -m grpc_tools.protoc -I "$here/../proto" -I "$here/../../../proto" \
    --go_out=. --go_opt=module=millrace/peers --go-grpc_out=. --go-grpc_opt=module=millrace/peers \
    --grpc-gateway_out=. --grpc-gateway_opt=module=millrace/peers peers/orders/v1/orders.proto
go build -buildvcs=false -trimpath -o "$to/gateway" .
