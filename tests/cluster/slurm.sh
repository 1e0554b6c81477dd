#!/usr/bin/env bash
# A real Slurm of two nodes, n1 and n2, on this machine: munge, slurmctld and two slurmd with a configuration, a key, ports and
# folders of their own. Needs root and the packages of the group [cluster]; writes no file outside FOLDER.
#   slurm.sh start FOLDER [--while PID] [SHARED...]   starts it; prints what to set (source it); with --while it stops by itself
#                                                     when that process is gone. SHARED: folders in /tmp that nodes have to see
#   slurm.sh kill FOLDER NODE       every process of the node is killed at once, as when its power fails
#   slurm.sh boot FOLDER NODE       the node comes back
#   slurm.sh processes FOLDER NODE [PATTERN]   the ids of the node's processes (whose command matches the regular expression)
#   slurm.sh stop FOLDER            ends all of it; the second time it does nothing
# A node is a host name (a UTS namespace) and a /tmp and /dev/shm (a mount namespace) of its own. What runs on it is whatever
# process has its host name: so no process of a job is missed, and none of anybody else is hit.
# Exit codes: 0 done, 1 failed, 2 wrong usage.
set -euo pipefail

nodes=(n1 n2)
# Slurm starts a requeued job only after so many seconds (120 unless set), when the credential of its last run has expired;
# less than 5 is refused.
cred_expire=5

say() { echo "slurm.sh: $*" >&2; }
usage() {
    sed -n '4,9s/^# *//p' "$0" >&2
    exit 2
}

# The id in a file, if that process is still the one whose name is given: ids are used again.
alive() { # FILE NAME
    local pid
    pid=$(cat "$1" 2> /dev/null) && [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = "$2" ] && echo "$pid"
}

wait_until() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

gone() { # PID: a zombie has no more than its number
    local state
    state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2> /dev/null) || true
    [[ -z $state || $state == Z* ]]
}

end_process() { # FILE NAME: asked to end, and killed if it doesn't
    local pid
    pid=$(alive "$1" "$2") || return 0
    kill "$pid" 2> /dev/null || true
    wait_until 5 gone "$pid" || kill -KILL "$pid" 2> /dev/null || true
    wait_until 5 gone "$pid" || say "process $pid ($2) does not end"
}

processes() { # NODE [PATTERN]: without the one that holds its namespaces
    local holder
    holder=$(alive "$folder/$1.holder" sleep) || return 0
    pgrep --ns "$holder" --nslist uts -f -- "${2:-.}" | grep -vx "$holder" || true
}

kill_processes() { # NODE: true when none is left
    local ids
    mapfile -t ids < <(processes "$1")
    [ ${#ids[@]} -gt 0 ] || return 0
    kill -KILL "${ids[@]}" 2> /dev/null || true
    return 1
}

kill_node() { # NODE
    wait_until 10 kill_processes "$1" || say "$1: processes are left: $(processes "$1" | tr '\n' ' ')"
}

# Runs in the new namespaces of a node: its name, its own /tmp with nothing in it but the folders to share, its own /dev/shm.
# shellcheck disable=SC2016 # expanded by the shell of the node
become_node='
    set -e
    hostname "$1"
    shift
    mount --make-rprivate /
    mount -t tmpfs none /dev/shm
    mount --rbind /tmp /mnt
    mount -t tmpfs none /tmp
    chmod 1777 /tmp
    for shared; do
        [[ $shared == /tmp/* ]] || continue
        mkdir -p "$shared"
        mount --rbind "/mnt/${shared#/tmp/}" "$shared"
    done
    umount -l /mnt
    exec sleep infinity'

hold_node() { # NODE SHARED...
    local node=$1
    # a session of its own: what ends the caller's group must not end this one before the processes of the node
    setsid unshare --uts --mount bash -c "$become_node" node "$@" < /dev/null > "$folder/$node.holder.log" 2>&1 &
    echo $! > "$folder/$node.holder"
    disown
    if ! wait_until 5 alive "$folder/$node.holder" sleep > /dev/null; then
        say "no namespaces for a node: $(cat "$folder/$node.holder.log")"
        return 1
    fi
}

boot_node() { # NODE
    local holder
    holder=$(alive "$folder/$1.holder" sleep)
    nsenter --uts --mount -t "$holder" env -i PATH="$PATH" HOME="${HOME:-/root}" slurmd -N "$1" -f "$folder/slurm.conf" < /dev/null \
        > "$folder/$1.out" 2>&1
}

free_ports() { # COUNT: the first of so many in a row that nobody listens at
    local first port
    for ((first = 17000; first < 18000; first += $1)); do
        for ((port = first; port < first + $1; port++)); do
            ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2> /dev/null || continue 2
        done
        echo "$first"
        return
    done
    say "no free ports between 17000 and 18000"
    return 1
}

# Times are short, so that a test need not wait: a node that does not answer is down after SlurmdTimeout, a killed job has
# KillWait to end. More processors and memory than there are, so that several folds run at a time on any machine.
write_configuration() { # FIRST_PORT
    local name
    name=$(hostname -s)
    cat > "$folder/slurm.conf" << END
ClusterName=cmus
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=$1
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=$cred_expire
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/%n.log
PlugStackConfig=$folder/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=4
BatchStartTimeout=1
MessageTimeout=4
KillWait=6
UnkillableStepTimeout=20
InactiveLimit=0
MinJobAge=300
NodeName=n1 NodeHostname=n1 NodeAddr=127.0.0.1 Port=$(($1 + 1)) CPUs=16 RealMemory=65536 State=UNKNOWN
NodeName=n2 NodeHostname=n2 NodeAddr=127.0.0.1 Port=$(($1 + 2)) CPUs=16 RealMemory=65536 State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
END
    # No plug-in in use here needs control groups, and the one for version 1 touches none until it is needed.
    echo "CgroupPlugin=cgroup/v1" > "$folder/cgroup.conf"
    : > "$folder/plugstack.conf"
}

ready() { [ "$(sinfo -h -N -o %T 2> /dev/null | grep -c '^idle$')" = ${#nodes[@]} ]; }

settings() {
    printf 'export SLURM_CONF=%q\n' "$folder/slurm.conf"
    # Nodes have one network between them, the loopback; Open MPI leaves it out unless told.
    echo 'export OMPI_MCA_btl_tcp_if_include=lo OMPI_MCA_oob_tcp_if_include=lo'
}

watch() { # PID: in the background, until that process is gone
    while kill -0 "$1" 2> /dev/null && [ -d "$folder" ]; do sleep 1; done
    [ ! -d "$folder" ] || stop
}

start() {
    local owner=
    if [ "${1:-}" = --while ]; then
        owner=${2:?}
        shift 2
    fi
    [[ $folder =~ ^[A-Za-z0-9/._-]+$ ]] || { say "$folder: Slurm's configuration wants a path without spaces"; exit 2; }
    [ "$(id -u)" = 0 ] || { say "needs root"; exit 1; }
    [ ! -e "$folder/slurm.conf" ] || { say "$folder is in use"; exit 1; }
    mkdir -p "$folder/munge" "$folder/state"
    chmod 700 "$folder/munge"
    trap 'say "not started; logs are in $folder"; stop' EXIT

    write_configuration "$(free_ports 3)"
    (umask 077 && head -c 128 /dev/urandom > "$folder/munge/key")
    # --force: root's own folder may lie below one that others may not enter
    munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
        --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" > "$folder/munge/out" 2>&1
    export SLURM_CONF=$folder/slurm.conf
    slurmctld -c -f "$folder/slurm.conf" < /dev/null > "$folder/slurmctld.out" 2>&1
    local node
    for node in "${nodes[@]}"; do
        hold_node "$node" "$folder" "$@"
        boot_node "$node"
    done
    wait_until 30 ready || { say "nodes are not ready: $(sinfo -N 2>&1)"; return 1; }
    # The watcher is nobody's child, so that it outlives those who are killed with all their children.
    [ -z "$owner" ] || (setsid "$0" watch "$folder" "$owner" < /dev/null > /dev/null 2>&1 &)
    trap - EXIT
    settings
}

stop() {
    local node
    for node in "${nodes[@]}"; do
        kill_node "$node"
        end_process "$folder/$node.holder" sleep
        rm -f "$folder/$node.holder"
    done
    end_process "$folder/slurmctld.pid" slurmctld
    end_process "$folder/munge/pid" munged
}

[ $# -ge 2 ] || usage
command=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
shift 2
case "$command" in
    start) start "$@" ;;
    stop) stop ;;
    watch) watch "$@" ;;
    kill | boot | processes)
        [[ " ${nodes[*]} " == *" ${1:-none} "* ]] || usage
        case "$command" in
            kill) kill_node "$1" ;;
            boot) boot_node "$1" ;;
            processes) processes "$@" ;;
        esac
        ;;
    *) usage ;;
esac
