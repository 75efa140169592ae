# shellcheck shell=bash
# deploy/lib/processes.sh: starts processes by name, starts them again when they die, stops them.
#
# A process NAME (`store-2`) is described by the function `command_<kind> NAME` (kind: `store`), which
# runs in the new process and ends in `become PROGRAM...`. The function `before_<kind> NAME`, if there
# is one, must succeed before each start. The caller sets `run` and `log`, two folders.
#
# Children live in sessions of their own, so that a terminal's Ctrl-C reaches only the supervisor and
# the order of the stop holds. Should the supervisor be killed, the kernel tells them (pdeathsig).

declare -A pid_of=()     # name → process id, while it runs
declare -A started_ms=() # name → when it was started last
declare -A restart_ms=() # name → when it is due again, while it is dead
declare -A failures=()   # name → short lives in a row

log_limit_bytes=${PARLEY_LOG_BYTES:-$((64 * 1024 * 1024))}
turn_every_ms=5000

# become [SETPRIV-OPTION...] -- PROGRAM...: how every command_<kind> ends. death_signal is what the
# kernel sends when the supervisor is gone.
death_signal=TERM
become() {
    exec setsid env --default-signal=INT,QUIT setpriv --pdeathsig "$death_signal" "$@"
}

is_alive() {
    kill -0 "$1" 2>/dev/null
}

# launch NAME: starts it now. Its process id is in $run/NAME.pid before this returns.
launch() {
    local name=$1 now
    s_turn_log "$log/$name.log"
    # The mark tells a later supervisor whose process this is, should this one be killed.
    PARLEY_RUN=$run "command_${name%%-*}" "$name" \
        </dev/null >>"$log/$name.log" 2>&1 8>&- 9>&- &
    pid_of[$name]=$!
    printf '%s\n' "$!" >"$run/$name.pid.new"
    mv -f -- "$run/$name.pid.new" "$run/$name.pid"
    now_ms now
    started_ms[$name]=$now
    unset "restart_ms[$name]"
}

# A log that has grown large starts anew; the one before it is kept. Nobody writes to it now.
s_turn_log() {
    local size
    size=$(stat -c %s -- "$1" 2>/dev/null || echo 0)
    ((size < log_limit_bytes)) || mv -f -- "$1" "$1.1"
}

# The same while they are written to. Processes append, so they go on at the beginning of a log that is
# emptied; what is written between copy and end, some milliseconds, is lost. If the disk is full, what is
# kept of before goes first.
s_turn_logs() {
    local size file
    local -a names=("${!pid_of[@]}")
    while read -r size file; do
        ((size >= log_limit_bytes)) || continue
        if cp -f -- "$log/$file" "$log/$file.1" 2>/dev/null; then
            : >"$log/$file"
        else
            rm -f -- "$log/$file.1"
        fi
    done < <(cd -- "$log" || exit; stat -c '%s %n' -- "${names[@]/%/.log}" 2>/dev/null || true)
}

# supervise: keeps every launched process running, and its log bounded; only a stop ends it.
supervise() {
    local name now turned=0
    while :; do
        pause 0.1
        for name in "${!pid_of[@]}"; do
            is_alive "${pid_of[$name]}" || s_died "$name"
        done
        now_ms now
        if ((now - turned >= turn_every_ms)); then
            turned=$now
            s_turn_logs
        fi
        for name in "${!restart_ms[@]}"; do
            ((now < restart_ms[$name])) || s_start_again "$name"
        done
    done
}

# Notes a death and when to start again: at once after a long life, else later and later, 2 s at most.
s_died() {
    local name=$1 now status=0
    { wait "${pid_of[$name]}" || status=$?; } 2>/dev/null # bash has its own words for a kill
    unset "pid_of[$name]"
    rm -f -- "$run/$name.pid"
    now_ms now
    if ((now - started_ms[$name] > 10000)); then
        failures[$name]=0
    fi
    s_schedule "$name"
    say "$(date +%H:%M:%S) $name $(s_in_words "$status"); starting it again (log: $log/$name.log)"
}

s_schedule() {
    local name=$1 now
    local -a backoff_ms=(0 200 500 1000 2000)
    local step=${failures[$name]:-0}
    now_ms now
    restart_ms[$name]=$((now + backoff_ms[step < 4 ? step : 4]))
    failures[$name]=$((step + 1))
}

s_in_words() {
    if (($1 > 128)); then
        printf 'was killed by signal %d' "$(($1 - 128))"
    else
        printf 'ended with status %d' "$1"
    fi
}

s_start_again() {
    local name=$1
    if ! declare -F "before_${name%%-*}" >/dev/null || "before_${name%%-*}" "$name"; then
        launch "$name"
    else
        s_schedule "$name"
    fi
}

# wait_for NAME LIMIT_S COMMAND...: until COMMAND succeeds. A process that dies meanwhile, or takes
# longer, ends the start with one line.
wait_for() {
    local name=$1 limit_s=$2 now begun status=0
    shift 2
    now_ms begun
    until "$@"; do
        if ! is_alive "${pid_of[$name]}"; then
            { wait "${pid_of[$name]}" || status=$?; } 2>/dev/null
            die "$name $(s_in_words "$status"): $(last_words "$log/$name.log") (log: $log/$name.log)"
        fi
        now_ms now
        ((now - begun < limit_s * 1000)) ||
            die "$name is not ready after $limit_s s: $(last_words "$log/$name.log") (log: $log/$name.log)"
        pause 0.05
    done
}

# stop_kind KIND [SIGNAL LIMIT_MS]...: sends the first signal to all processes of a kind, the next to
# those that are still there after the limit, KILL at last. Returns when all are gone. For the EXIT
# trap, so: no pause.
stop_kind() {
    local kind=$1 name now deadline
    local -a pids=()
    shift
    for name in "${!pid_of[@]}"; do
        [[ ${name%%-*} == "$kind" ]] || continue
        pids+=("${pid_of[$name]}")
        unset "pid_of[$name]" "restart_ms[$name]"
        rm -f -- "$run/$name.pid"
    done
    ((${#pids[@]})) || return 0
    set -- "$@" KILL 3600000
    while (($#)) && is_any_alive "${pids[@]}"; do
        kill "-$1" "${pids[@]}" 2>/dev/null || true
        now_ms now
        deadline=$((now + $2))
        while ((now < deadline)) && is_any_alive "${pids[@]}"; do
            read -r -t 0.02 -u 8 || true
            now_ms now
        done
        shift 2
    done
}

is_any_alive() {
    local pid
    for pid in "$@"; do
        ! is_alive "$pid" || return 0
    done
    return 1
}

# end_leftovers: ends what a killed supervisor left behind (it is dying already, by pdeathsig).
end_leftovers() {
    local file pid name
    for file in "$run"/*.pid; do
        [[ -e $file ]] || continue
        name=${file##*/}
        pid=$(<"$file")
        if [[ $name != postgres.pid && $pid =~ ^[0-9]+$ ]] && s_is_ours "$pid"; then
            say "Ending ${name%.pid}, which was left behind (pid $pid)"
            kill -TERM "$pid" 2>/dev/null || true
            end_within "$pid" 8
        fi
        rm -f -- "$file"
    done
}

s_is_ours() {
    { tr '\0' '\n' <"/proc/$1/environ" | grep -qxF "PARLEY_RUN=$run"; } 2>/dev/null
}

# end_within PID SECONDS: waits until a process that is not our child has ended, then kills it.
end_within() {
    local pid=$1 now begun
    now_ms begun
    while s_is_running "$pid"; do
        now_ms now
        ((now - begun < $2 * 1000)) || kill -KILL "$pid" 2>/dev/null || true
        pause 0.02
    done
}

# A process that nobody waited for (in a container without an init) has ended all the same.
s_is_running() {
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null && [[ ${stat##*) } != Z* ]]
}
