#!/usr/bin/env bash
# Hosts made of network namespaces on this machine, joined by a bridge, with links as slow as you like, to see how a run
# behaves over a network: hosts.sh up | down | run | cut | mend | list (hosts.sh --help). Needs root.
#
# Nothing of it is in the machine's own network: the bridge has a namespace too, which also is the host that mpirun
# runs on (h0, without ranks). Each host has a name of its own (h1, h2, ...), so that Open MPI and cmus-train take them
# for different machines; they share the processors, the memory and the disks.
set -euo pipefail

prefix=cmus-h    # namespaces cmus-h1, cmus-h2, ...
switch=cmus-br   # the bridge's
network=10.77.0  # addresses 10.77.0.1, ...; the bridge has .254
most=64
sessions=/run/cmus-hosts # Open MPI's files while it runs, which a killed run leaves
self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")

usage() {
    cat << 'END'
hosts.sh up N [--rate 4gbit] [--delay 50us]   makes N hosts (removes those that are there); rate of a link in each
                                              direction, delay of each message (needs a kernel with netem)
hosts.sh down                                 removes all of it, and ends what still runs there
hosts.sh run NP PROGRAM [ARGUMENT...]         mpirun of NP ranks, one a host (more than hosts: several a host)
hosts.sh cut HOST                             HOST (h1, ...) hears and says nothing any more; no connection is closed
hosts.sh mend HOST                            undoes it
hosts.sh list                                 the hosts that are there
The environment reaches the ranks: OMP_NUM_THREADS, OMPI_MCA_..., and so on. Exit codes: 0, 1 (failed), 2 (usage).
END
}

die() { # EXIT_CODE MESSAGE
    echo "hosts.sh: $2" >&2
    exit "$1"
}

hosts() { # h1 h2 ..., a line each, in order
    ip netns list | awk -v prefix="$prefix" 'index($1, prefix) == 1 { print "h" substr($1, length(prefix) + 1) }' | sort -V
}

namespace_of() { # HOST
    case $1 in
        h0) echo "$switch" ;;
        h[1-9]*) echo "$prefix${1#h}" ;;
        *) die 2 "'$1' is no host: h1, h2, ..." ;;
    esac
}

exists() { # NAMESPACE
    ip netns list | awk -v wanted="$1" '$1 == wanted { found = 1 } END { exit !found }'
}

remove_namespace() { # with the processes in it, which would keep it alive
    local attempt
    exists "$1" || return 0
    for ((attempt = 0; attempt < 50; attempt++)); do # they may be making others, and need a moment to end
        [ -n "$(ip netns pids "$1")" ] || break
        ip netns pids "$1" | xargs -r kill -KILL 2> /dev/null || true
        sleep 0.1
    done
    ip netns delete "$1"
    rm -rf "/etc/netns/$1"
}

down() {
    local host
    for host in $(hosts); do
        remove_namespace "$(namespace_of "$host")"
    done
    remove_namespace "$switch"
    rm -rf "$sessions"
    rmdir /etc/netns 2> /dev/null || true # others may use it
}

add_namespace() { # NAMESPACE COUNT: with /etc/hosts of its own, which ip netns exec puts in place
    local i
    ip netns add "$1"
    ip -n "$1" link set lo up
    # Reno, which every kernel has and lets a namespace choose: BBR paces by estimates of its own, which a shaped link
    # misleads (sums took up to twice the time that the rate allows).
    ip netns exec "$1" sh -c 'echo reno > /proc/sys/net/ipv4/tcp_congestion_control'
    mkdir -p "/etc/netns/$1"
    {
        echo "127.0.0.1 localhost"
        echo "$network.254 h0"
        for ((i = 1; i <= $2; i++)); do echo "$network.$i h$i"; done
    } > "/etc/netns/$1/hosts"
}

# A link is shaped at both ends: what a host sends, and what the bridge sends to it. The burst is 0.25 ms of the rate
# and two of the largest segments (64 KiB) at least; 50 ms may wait before packets are lost, so that several senders to
# one host are slowed down by its link and hardly by repeated packets.
shape() { # NAMESPACE DEVICE RATE [PARENT]
    local bits burst place
    bits=$(bits_of "$3")
    burst=$((bits / 8 / 4000))
    [ "$burst" -ge 131072 ] || burst=131072
    read -ra place <<< "${4:-root}"
    tc -n "$1" qdisc add dev "$2" "${place[@]}" tbf rate "$bits" burst "$burst" latency 50ms
}

bits_of() { # 4gbit, 500mbit
    case $1 in
        *[!0-9]*gbit | gbit | *[!0-9]*mbit | mbit) die 2 "--rate $1: a whole number with gbit or mbit" ;;
        *gbit) echo $((${1%gbit} * 1000000000)) ;;
        *mbit) echo $((${1%mbit} * 1000000)) ;;
        *) die 2 "--rate $1: a whole number with gbit or mbit" ;;
    esac
}

add_host() { # NUMBER COUNT RATE DELAY
    local space=$prefix$1 where=root
    add_namespace "$space" "$2"
    ip -n "$switch" link add "port$1" type veth peer name eth0 netns "$space"
    ip -n "$switch" link set "port$1" master bridge up
    ip -n "$space" address add "$network.$1/24" dev eth0
    ip -n "$space" link set eth0 up
    if [ -n "$4" ]; then
        tc -n "$space" qdisc add dev eth0 root handle 1: netem delay "$4" limit 100000 ||
            die 1 "--delay needs a kernel with netem (CONFIG_NET_SCH_NETEM)"
        where="parent 1:1"
    fi
    if [ -n "$3" ]; then
        shape "$space" eth0 "$3" "$where"
        shape "$switch" "port$1" "$3"
    fi
}

up() {
    local count=${1:-} rate='' delay='' i
    [[ $count =~ ^[1-9][0-9]?$ && $count -le $most ]] || die 2 "up N: 1 to $most hosts"
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            --rate) rate=${2:-} ;;
            --delay) delay=${2:-} ;;
            *) die 2 "unknown option $1" ;;
        esac
        [ -n "${2:-}" ] || die 2 "$1 needs a value"
        shift 2
    done
    [ -z "$rate" ] || bits_of "$rate" > /dev/null
    down
    trap down EXIT # no half of it stays after a failure
    mkdir -p "$sessions"
    add_namespace "$switch" "$count"
    ip -n "$switch" link add bridge type bridge
    ip -n "$switch" address add "$network.254/24" dev bridge
    ip -n "$switch" link set bridge up
    for ((i = 1; i <= count; i++)); do
        add_host "$i" "$count" "$rate" "$delay"
    done
    trap - EXIT
}

on() { # HOST COMMAND...: replaces this shell
    local host=$1
    shift
    # shellcheck disable=SC2016 # for the inner shell
    exec ip netns exec "$(namespace_of "$host")" unshare --uts bash -c 'hostname "$0" && exec "$@"' "$host" "$@"
}

run() {
    local ranks=${1:-} all count slots host list=''
    [[ $ranks =~ ^[1-9][0-9]*$ && $# -ge 2 ]] || die 2 "run NP PROGRAM [ARGUMENT...]"
    shift
    all=$(hosts)
    [ -n "$all" ] || die 1 "no hosts: hosts.sh up N comes first"
    [[ $self != *[[:space:]]* ]] || die 1 "mpirun can't start '$self': its path has blanks"
    count=$(wc -l <<< "$all")
    slots=$(((ranks + count - 1) / count))
    for host in $all; do list+=${list:+,}$host:$slots; done
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    on h0 mpirun -np "$ranks" --host "$list" --map-by node --bind-to none \
        --mca plm rsh --mca plm_rsh_agent "$self agent" --mca plm_rsh_no_tree_spawn 1 \
        --mca orte_tmpdir_base "$sessions" \
        --mca btl tcp,self --mca btl_tcp_if_include "$network.0/24" --mca oob_tcp_if_include "$network.0/24" "$@"
}

# Frames to and from a disabled port are lost without a word, and the carrier stays: as with a switch that fails, the
# peers learn nothing of it.
set_port() { # HOST STATE
    [[ ${1:-} =~ ^h[1-9][0-9]*$ ]] || die 2 "which host? h1, h2, ..."
    exists "$(namespace_of "$1")" || die 1 "there is no host $1"
    bridge -n "$switch" link set dev "port${1#h}" state "$2"
}

main() {
    local command=${1:-}
    [ $# = 0 ] || shift
    case $command in
        --help | -h | help) usage && return ;;
        up | down | run | cut | mend | list | agent) ;;
        *) usage >&2 && exit 2 ;;
    esac
    [ "$(id -u)" -eq 0 ] || die 1 "network namespaces need root"
    command -v tc > /dev/null || die 1 "ip and tc are missing: jobs/install-packages.sh scaling installs them"
    case $command in
        up) up "$@" ;;
        down) down ;;
        run) run "$@" ;;
        cut) set_port "${1:-}" 0 ;;
        mend) set_port "${1:-}" 3 ;;
        list) hosts ;;
        agent) # what mpirun calls: HOST COMMAND, the command being for a shell
            on "$1" bash -c "${*:2}" ;;
    esac
}

main "$@"
