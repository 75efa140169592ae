# shellcheck shell=bash
# deploy/lib/postgres.sh: a private PostgreSQL cluster in the folder `cluster`, reachable only through
# the Unix socket in it (mode 0700, so only for its owner and root).
#
# PostgreSQL does not run as root: started by root, it runs as the user postgres of Debian's package.
# That user often cannot walk to the folder (a checkout below /root), so the folder is opened here and
# PostgreSQL is given the open descriptor as its path.

as_owner=()

# prepare_cluster: finds the programs and makes the cluster at the first start.
prepare_cluster() {
    local owner
    owner=$(id -un)
    if ((EUID == 0)); then
        id postgres >/dev/null 2>&1 ||
            die "PostgreSQL does not run as root, and the user postgres (of Debian's package postgresql) is not there"
        owner=postgres
    fi
    s_become_owner
    s_find_programs
    if [[ ! -e $cluster ]]; then
        s_create_cluster
    elif [[ ! -f $cluster/PG_VERSION ]]; then
        die "$cluster is no PostgreSQL cluster (it has no PG_VERSION); move it away to start with an empty one"
    elif [[ $(stat -c %U -- "$cluster") != "$owner" ]]; then
        die "$cluster belongs to $(stat -c %U -- "$cluster"), and PostgreSQL would run as $owner"
    fi
}

s_become_owner() {
    if ((EUID == 0)) && id postgres >/dev/null 2>&1; then
        as_owner=(--reuid postgres --regid postgres --init-groups)
    fi
}

s_find_programs() {
    local version='' folder
    [[ ! -f $cluster/PG_VERSION ]] || version=$(<"$cluster/PG_VERSION")
    pg_bin=''
    for folder in /usr/lib/postgresql/*/bin; do
        if [[ -x $folder/postgres && $folder == */${version:-*}/bin ]]; then
            pg_bin=$folder
        fi
    done
    if [[ -z $pg_bin ]] && command -v postgres >/dev/null; then
        pg_bin=$(dirname -- "$(readlink -f -- "$(command -v postgres)")")
        [[ -z $version || $("$pg_bin/postgres" --version) == *" $version".* ]] || pg_bin=''
    fi
    [[ -n $pg_bin ]] || die "the programs of PostgreSQL $version are not there: install postgresql${version:+-$version}"
}

# Made beside its place and renamed when complete, so that an interruption leaves no half cluster.
s_create_cluster() {
    local new=$cluster.new fd
    say "Creating the database in $cluster"
    rm -rf -- "$new"
    mkdir -m 0700 -- "$new"
    ((EUID != 0)) || chown postgres: -- "$new"
    exec {fd}<"$new"
    : >"$log/initdb.log"
    watch "$log/initdb.log" s_fill_cluster "$fd" ||
        die "the database could not be created: $(last_words "$log/initdb.log") (log: $log/initdb.log)"
    exec {fd}<&-
    mv -T -- "$new" "$cluster"
}

s_fill_cluster() {
    cd /
    setpriv "${as_owner[@]}" "$pg_bin/initdb" -D "/proc/self/fd/$1" --username=postgres \
        --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=reject
    printf '%s\n' 'CREATE ROLE parley LOGIN' 'CREATE DATABASE parley OWNER parley' |
        setpriv "${as_owner[@]}" "$pg_bin/postgres" --single -D "/proc/self/fd/$1" postgres >/dev/null
}

command_postgres() {
    local fd
    # a fast shutdown, should the supervisor be killed
    death_signal=INT
    exec {fd}<"$cluster"
    cd /
    unset PGDATA PGPORT PGHOST
    become "${as_owner[@]}" -- "$pg_bin/postgres" -D "/proc/self/fd/$fd" \
        -c listen_addresses= -c unix_socket_directories=. -c unix_socket_permissions=0700 \
        -c port=5432 -c cluster_name="parley-$(stat -c %i -- "$cluster")" -c logging_collector=off
}

# Nothing of the cluster's last life may hold its memory: a postmaster that was killed leaves backends
# which finish what they do first. A crash recovery follows in any case, so they lose nothing by a kill.
before_postgres() {
    local round pid
    local -a orphans
    for round in {1..100}; do
        s_find_orphans
        if ((${#orphans[@]} == 0)); then
            rm -f -- "$cluster/postmaster.pid"
            return 0
        fi
        if ((round == 1)); then
            kill -QUIT "${orphans[@]}" 2>/dev/null || true
        elif ((round > 25)); then
            kill -KILL "${orphans[@]}" 2>/dev/null || true
        fi
        pause 0.02
    done
    say "PostgreSQL waits for the end of ${#orphans[@]} processes of its last life: ${orphans[*]}"
    return 1
}

# PostgreSQL's processes work in their cluster's folder: that tells whose they are. Sets orphans. They
# are looked at by their own user: root without every right, as in a container, may not.
s_find_orphans() {
    local fd
    exec {fd}<"$cluster"
    # shellcheck disable=SC2016 # expanded by the inner bash
    mapfile -t orphans < <(setpriv "${as_owner[@]}" bash -c '
        cd /
        for link in /proc/[0-9]*/cwd; do
            if [[ $link -ef /proc/self/fd/$0 && $(readlink -- "${link%cwd}exe") == */postgres ]]; then
                printf "%s\n" "${link//[^0-9]/}"
            fi
        done' "$fd" 2>/dev/null)
    exec {fd}<&-
}

# end_left_postgres: a postmaster that a killed supervisor left is ended the orderly way first.
end_left_postgres() {
    local pid=''
    local -a orphans
    [[ -d $cluster ]] || return 0
    s_become_owner
    s_find_orphans
    ((${#orphans[@]})) || return 0
    read -r pid <"$cluster/postmaster.pid" 2>/dev/null || true
    if [[ " ${orphans[*]} " == *" $pid "* ]]; then
        say "Ending PostgreSQL, which was left behind (pid $pid)"
        kill -INT "$pid" 2>/dev/null || true
        end_within "$pid" 8
    fi
    until before_postgres; do :; done
}

postgres_is_ready() {
    local -a line
    mapfile -t line 2>/dev/null <"$cluster/postmaster.pid" || return 1
    [[ ${line[0]:-} == "${pid_of[postgres]}" && ${line[7]:-} == ready* ]]
}
