#!/usr/bin/env bash
# tests/slurm.sh COMMAND ...: runs a command beside a Slurm of one node, which listens on loopback alone, keeps everything
# in a temporary folder and is gone when the command has ended, however it ended.
#
# Any user can run it who has Debian's packages slurmctld, slurmd, slurm-client and munge. Processes are tracked by /proc
# and no job is confined (no cgroups, no systemd), so it shows what is asked of Slurm, not what Slurm enforces. The GPU
# that the node offers, in two shards, is none: only asking for it and sharing it can be tried.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin
for program in munged slurmctld slurmd sbatch; do
    if ! command -v "$program" >/dev/null; then
        echo "tests/slurm.sh: $program is not installed; as root: apt-get install slurmctld slurmd slurm-client munge" >&2
        exit 1
    fi
done

folder=$(mktemp -d)
export SLURM_CONF=$folder/slurm.conf ONE_NODE_SLURM=1 # from here on no command can mean another Slurm
daemons=()
command=()

clean() {
    for running in "${command[@]}"; do
        kill -KILL -- "-$running" 2>/dev/null || true
        scancel --user="$(id -un)" 2>/dev/null || true # a slurmd that stops leaves its jobs running
        patiently no_jobs || true
    done
    for ((last = ${#daemons[@]} - 1; last >= 0; last--)); do
        kill "${daemons[last]}" 2>/dev/null || true
        wait "${daemons[last]}" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

fail() {
    tail -n 20 "$folder"/*.log >&2
    echo "tests/slurm.sh: $1 within 30 seconds; the ends of its logs are above" >&2
    exit 1
}

patiently() {
    for _ in {1..150}; do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    return 1
}

no_jobs() { [ -z "$(squeue --noheader)" ]; }

host=$(hostname -s)
read -r controller node < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(opened.getsockname()[1] for opened in sockets))')

chmod 711 "$folder" # munged wants its socket within everybody's reach
mkdir "$folder/state" "$folder/spool" "$folder/bin"
cat >"$folder/gres.conf" <<END
Name=gpu File=/dev/zero
Name=shard Count=2
END
cat >"$SLURM_CONF" <<END
ClusterName=rem
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller
SlurmdPort=$node
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MinJobAge=3600
GresTypes=gpu,shard
$(slurmd -C | head -n 1) NodeAddr=127.0.0.1 Gres=gpu:1,shard:2
PartitionName=all Nodes=$host Default=YES
END
# Snakemake hides SLURM_CONF from srun, which finds a cluster's own in /etc.
printf '#!/bin/sh\nSLURM_CONF=%q exec %q "$@"\n' "$SLURM_CONF" "$(command -v srun)" >"$folder/bin/srun"
chmod +x "$folder/bin/srun"
export PATH=$folder/bin:$PATH

(umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
munged --foreground --socket "$folder/munge.socket" --key-file "$folder/munge.key" --seed-file "$folder/munge.seed" \
    --pid-file "$folder/munge.pid" --log-file "$folder/munge.log" 2>"$folder/munged.log" &
daemons+=($!)
patiently test -S "$folder/munge.socket" || fail "munged did not start"
slurmctld -D >"$folder/slurmctld.log" 2>&1 &
daemons+=($!)
slurmd -D >"$folder/slurmd.log" 2>&1 &
daemons+=($!)
patiently sh -c 'sinfo --noheader --format %T | grep -qx idle' || fail "Slurm's node was not idle"

set -m # a process group of its own, to be ended as a whole
"$@" </dev/null &
command+=($!)
wait "$!"
