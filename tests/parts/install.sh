# Installs the real parts that the tests use; sourced by tests/run. Every function may run again and again: what is
# there is left alone. Tools go to $tools/NAME-VERSION; a folder is made as NAME-VERSION.part and renamed when it is
# whole, so an interrupted install leaves nothing half-made.

grpcurl_version=1.9.4
buf_version=1.75.0
typos_version=1.52.0

grpcurl=$tools/grpcurl-$grpcurl_version/grpcurl
pypi=$tools/pypi-buf-$buf_version-typos-$typos_version
browser_modules=$tools/npm-browser-$(cksum <"$root/tests/browser/package-lock.json" | cut -d' ' -f1)/node_modules
console_modules=$tools/npm-console-$(cksum <"$root/server/console/package-lock.json" | cut -d' ' -f1)/node_modules

# A part is missing and cannot be installed from here: says what to type, and exits 4.
missing() {
  echo "missing: $1" >&2
  echo "install it with: $2" >&2
  exit 4
}

# Prints the folder of PostgreSQL 15's or a later version's programs, nothing if there is none.
postgres_bin() {
  local candidate
  for candidate in /usr/lib/postgresql/15/bin /usr/lib/postgresql/*/bin "$(pg_config --bindir 2>/dev/null)"; do
    [[ -x $candidate/initdb && -x $candidate/pg_ctl ]] && echo "$candidate" && return
  done
}

# Prints the path of a Chromium without a window, nothing if there is none.
chromium() {
  command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome
}

# PostgreSQL, Chromium, and what the installers below need. One apt-get for all of them: each call costs seconds.
system_packages() {
  local wanted=()
  [[ -n $(postgres_bin) ]] || wanted+=(postgresql-15)
  chromium >/dev/null || wanted+=(chromium-headless-shell)
  command -v npm >/dev/null || wanted+=(nodejs npm)
  python3 -c 'import ensurepip' 2>/dev/null || wanted+=(python3-venv)
  ((${#wanted[@]})) || return 0

  local command="apt-get install -y --no-install-recommends ${wanted[*]}"
  if ! grep -qsE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; then
    missing "${wanted[*]}" "your system's package manager (on Debian: sudo $command)"
  fi
  ((EUID == 0)) || missing "${wanted[*]}" "sudo $command"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq -o DPkg::Lock::Timeout=300 update &&
    apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${wanted[@]}" >/dev/null ||
    missing "${wanted[*]}" "$command"
}

# The real grpcurl, built from the Go module proxy.
install_grpcurl() {
  [[ -x $grpcurl ]] && return
  command -v go >/dev/null || missing "Go 1.24 or later, which builds grpcurl" "see https://go.dev/dl"
  local folder=${grpcurl%/*}
  rm -rf "$folder.part"
  GOBIN=$folder.part GOFLAGS="-buildvcs=false -modcacherw" \
    go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@v$grpcurl_version" &&
    mv "$folder.part" "$folder" ||
    missing "grpcurl $grpcurl_version" "go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v$grpcurl_version"
}

# buf and typos from PyPI, as plain binaries. A virtual environment holds absolute paths and cannot be renamed, so
# the file `ok` is written last instead.
install_pypi() {
  [[ -e $pypi/ok ]] && return
  rm -rf "$pypi"
  python3 -m venv "$pypi" && "$pypi/bin/pip" install -q --disable-pip-version-check \
    "buf-bin==$buf_version" "typos==$typos_version" && touch "$pypi/ok" ||
    missing "buf $buf_version and typos $typos_version" "pip install buf-bin==$buf_version typos==$typos_version"
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
  system_packages && install_pypi && install_npm "$root/tests/browser" "$browser_modules" &&
    install_npm "$root/server/console" "$console_modules" && install_conformance && install_grpcurl
}
