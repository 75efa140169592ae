# shellcheck shell=bash
# deploy/lib/packages.sh: Debian packages by apt. Root (or sudo) is needed only if something is missing.
# Sourced by deploy/run and tests/run, after say.sh.

# What the build and the running system need. A word is package or package:command; with a command
# it counts as present when the command is there, whoever installed it.
# shellcheck disable=SC2034 # read by those who source this file
build_packages=(
    gcc:cc libc6-dev cmake:cmake ninja-build:ninja pkg-config:pkg-config
    libzmq3-dev libczmq-dev libmicrohttpd-dev libwslay-dev libjansson-dev libjwt-dev libpq-dev
    libuv1-dev libsodium-dev libssl-dev libcurl4-openssl-dev liburing-dev zlib1g-dev uthash-dev nodejs:node npm:npm
)

# missing_packages WORD...: sets the array missing.
missing_packages() {
    local word package installed
    local -a unknown=()
    missing=()
    for word in "$@"; do
        if [[ $word == *:* ]]; then
            command -v "${word#*:}" >/dev/null || missing+=("${word%%:*}")
        else
            unknown+=("$word")
        fi
    done
    # Elsewhere than on Debian the build itself says what it does not find.
    if ((${#unknown[@]} == 0)) || ! command -v dpkg-query >/dev/null; then
        return 0
    fi
    # shellcheck disable=SC2016 # the braces are dpkg's
    installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "${unknown[@]}" 2>/dev/null || true) "
    for package in "${unknown[@]}"; do
        [[ $installed == *" installed:$package "* ]] || missing+=("$package")
    done
}

# install_packages LOG WORD...: installs what is missing, saying so; dies with one line if it cannot.
install_packages() {
    local apt_log=$1
    local -a missing elevate=()
    shift
    missing_packages "$@"
    ((${#missing[@]})) || return 0
    if ! command -v apt-get >/dev/null; then
        die "not found: ${missing[*]} (these are Debian's package names; install what your system calls them)"
    fi
    if ((EUID != 0)); then
        if command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
            elevate=(sudo -n)
        else
            die "packages are missing and installing them needs root: apt-get install ${missing[*]}"
        fi
    fi
    say "Installing from Debian: ${missing[*]}"
    # sudo asks for its password here, before apt's words go to the log
    ((${#elevate[@]} == 0)) || sudo -n true 2>/dev/null || sudo -v || die "sudo refused; by hand: apt-get install ${missing[*]}"
    s_without_main_cluster add "${elevate[@]}"
    local failed=''
    watch "$apt_log" s_apt "${elevate[@]}" || failed=yes
    s_without_main_cluster remove "${elevate[@]}"
    [[ ! $failed ]] || die "apt-get could not install ${missing[*]}: $(s_apt_error "$apt_log") (log: $apt_log)"
}

# Uses the caller's array missing.
s_apt() {
    local -a get=("$@" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120)
    "${get[@]}" install -y --no-install-recommends "${missing[@]}" && return
    # the package lists are old, or there are none yet
    "${get[@]}" update && "${get[@]}" install -y --no-install-recommends "${missing[@]}"
}

s_apt_error() {
    local line
    line=$(grep -E '^E: ' -- "$1" | tail -n 1) || true
    printf '%s' "${line:-$(last_words "$1")}"
}

# Debian's postgresql makes and starts a cluster of its own when it is installed. Nobody asked for it.
s_without_main_cluster() {
    local drop_in=/etc/postgresql-common/createcluster.d/parley.conf
    local action=$1
    shift
    case " ${missing[*]} " in *' postgresql '*) ;; *) return 0 ;; esac
    if [[ $action == add ]]; then
        "$@" mkdir -p "${drop_in%/*}"
        printf 'create_main_cluster = false\n' | "$@" tee "$drop_in" >/dev/null
    else
        "$@" rm -f "$drop_in"
    fi
}
