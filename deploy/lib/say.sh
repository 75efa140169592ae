# shellcheck shell=bash
# deploy/lib/say.sh: what the person at the terminal reads, and the one way to fail.

say() {
    printf '%s\n' "$*"
}

# One clear line on stderr, exit 1 (the EXIT trap of the caller stops what runs).
die() {
    printf 'parley: %s\n' "$*" >&2
    exit 1
}

# The last line of a log that a person wants to see: PostgreSQL's FATAL if there is one, the text of a
# JSON line, else the line itself.
last_words() {
    local line fatal
    line=$(grep -v '^[[:space:]]*$' -- "$1" 2>/dev/null | tail -n 10) || true
    fatal=$(grep -E 'FATAL|PANIC' <<<"$line" | tail -n 1) || true
    line=${fatal:-${line##*$'\n'}}
    line=${line##*FATAL:  }
    line=${line##*PANIC:  }
    if [[ $line =~ \"(msg|message|error)\":\ ?\"(([^\"\\]|\\.)*)\" ]]; then
        line=${BASH_REMATCH[2]//\\\"/\"}
    fi
    line=${line#parley-*: }
    line=${line:-no message}
    printf '%s' "${line:0:300}"
}

# now_ms VAR: milliseconds of the wall clock, without a fork.
now_ms() {
    local micro=${EPOCHREALTIME/[.,]/}
    printf -v "$1" '%s' "$((micro / 1000))"
}

# Descriptor 8 never has anything to read; 9 is the caller's lock. No child gets either.
# pause SECONDS: waits without a process of its own, and leaves by `exit` when a stop was asked for.
stop_asked=''
exec 8<> <(:)
pause() {
    [[ ! $stop_asked ]] || exit 130
    read -r -t "$1" -u 8 || true
    [[ ! $stop_asked ]] || exit 130
}

# watch LOG COMMAND...: runs a long command with its output in LOG, and says every few seconds how far
# it is. Returns its status. The command has a process group of its own, so that a stop ends all of it.
watched=''
watch() {
    local log=$1 shown='' line='' now next status=0
    shift
    set -m
    "$@" </dev/null >>"$log" 2>&1 8>&- 9>&- &
    watched=$!
    set +m
    now_ms now
    next=$((now + 3000))
    while kill -0 "$watched" 2>/dev/null; do
        pause 0.1
        now_ms now
        if ((now >= next)); then
            next=$((now + 5000))
            line=$(tail -n 1 -- "$log" 2>/dev/null | tr -d '\r' | cut -c 1-100)
            [[ -z $line || $line == "$shown" ]] || say "  ... $line"
            shown=$line
        fi
    done
    wait "$watched" || status=$?
    watched=''
    return "$status"
}

# For the EXIT trap: ends a command that `watch` was running, with all that it started.
stop_watched() {
    local round signal=TERM
    [[ $watched ]] || return 0
    for round in {1..150}; do
        ((round < 100)) || signal=KILL
        ((round != 1 && round != 100)) || kill "-$signal" -- "-$watched" 2>/dev/null || break
        kill -0 -- "-$watched" 2>/dev/null || break
        read -r -t 0.03 -u 8 || true
    done
    watched=''
}
