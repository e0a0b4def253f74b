# One PostgreSQL server for a test run, on a free loopback port, in a temporary folder; sourced by tests/run.
# fsync stays on: tests about durability mean it.

# PostgreSQL refuses to run as root.
as_postgres() {
  if ((EUID == 0)); then
    setpriv --reuid=postgres --regid=postgres --init-groups --reset-env "$@"
  else
    "$@"
  fi
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Starts the server with its data below the folder $1 and sets MILLRACE_TEST_POSTGRES.
start_postgres() {
  local bin port attempt
  bin=$(postgres_bin)
  postgres_data=$1/postgres
  mkdir -p "$postgres_data"
  chmod 755 "$1"
  if ((EUID == 0)); then
    chown postgres "$postgres_data"
    # A folder below one that is root's alone is out of its reach.
    as_postgres test -w "$postgres_data" || postgres_data=$(as_postgres mktemp -d /tmp/millrace-postgres.XXXXXX) || return
  fi
  as_postgres "$bin/initdb" -D "$postgres_data/data" -U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8 \
    >"$1/initdb.log" || { cat "$1/initdb.log" >&2 && return 1; }
  # A port is free when it is asked for, and may be taken a moment later.
  for attempt in 1 2 3 4 5; do
    port=$(free_port)
    if as_postgres "$bin/pg_ctl" -D "$postgres_data/data" -l "$postgres_data/log" -w -t 60 -s start \
      -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories='' -c max_connections=300"; then
      export MILLRACE_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
      return
    fi
  done
  cat "$postgres_data/log" >&2
  return 1
}

# Stops the server that start_postgres started; pg_ctl finds it by the process id in its own data folder.
stop_postgres() {
  [[ -n ${postgres_data:-} ]] || return 0
  [[ ! -e $postgres_data/data/postmaster.pid ]] ||
    as_postgres "$(postgres_bin)/pg_ctl" -D "$postgres_data/data" -m immediate -w -s stop
  rm -rf "$postgres_data"
}
