# shellcheck shell=bash
# deploy/lib/ports.sh: says before anything is started that a TCP port cannot be had, and who has it.

# require_port ADDRESS PORT SETTING: dies with one line if listening there would fail.
require_port() {
    local address=$1 port=$2 setting=$3 inode lowest
    lowest=$(</proc/sys/net/ipv4/ip_unprivileged_port_start) || lowest=1024
    if ((port < lowest && EUID != 0)); then
        die "port $port needs root: choose one from $lowest on with $setting"
    fi
    inode=$(s_listener "$address" "$port")
    if [[ $inode ]]; then
        die "port $port is taken$(s_holder "$inode"): choose another with $setting"
    fi
}

somebody_listens() {
    [[ $(s_listener "$1" "$2") ]]
}

# Prints the socket's inode of a listener that excludes one on ADDRESS:PORT.
s_listener() {
    local address=$1 local_address inode hex wanted='' octet rest
    printf -v hex '%04X' "$2"
    if [[ $address != 0.0.0.0 ]]; then
        # the kernel prints the four bytes the other way round
        for octet in ${address//./ }; do
            printf -v wanted '%02X%s' "$octet" "$wanted"
        done
    fi
    while read -r _ local_address _ _ _ _ _ _ _ inode rest; do
        case ${local_address%:*} in
            00000000 | 00000000000000000000000000000000 | "${wanted:-${local_address%:*}}")
                echo "$inode"
                return
                ;;
        esac
    done < <(grep -hE "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F:]+ 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null)
}

# Prints " by NAME (pid N)" if the holder of a socket can be seen.
s_holder() {
    local pid
    pid=$(find /proc/[0-9]*/fd -lname "socket:\\[$1\\]" -print -quit 2>/dev/null) || true
    pid=${pid#/proc/}
    pid=${pid%%/*}
    [[ ! $pid ]] || printf ' by %s (pid %s)' "$(</proc/"$pid"/comm)" "$pid"
}
