# shellcheck shell=bash
# Sourced by scripts that call mpirun on this machine.
# Open MPI refuses to run as root unless told twice; containers and CI machines often have no other user.
if [ "$(id -u)" -eq 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
# Ranks of one machine talk through shared memory. Single-copy transfers need a system call that containers forbid.
export OMPI_MCA_btl_vader_single_copy_mechanism=${OMPI_MCA_btl_vader_single_copy_mechanism:-none}

# A link between hosts that is cut is noticed after 8 s, not after minutes; shorter than stall_timeout (src/dist/README.md).
export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-5}
export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-1}
export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-3}

# Threads and ranks that share cores must not spin while they wait.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}

# mpi_run RANKS COMMAND...: RANKS ranks on this machine with the cores divided between them.
mpi_run() {
  local ranks=$1 cores
  shift
  cores=$(nproc)
  OMP_NUM_THREADS=$((cores > ranks ? cores / ranks : 1)) mpirun --oversubscribe --bind-to none -np "$ranks" "$@"
}
