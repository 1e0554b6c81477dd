#!/usr/bin/env bash
# Shows where the folds of a run are.
# shellcheck disable=SC2154 # variables of job.conf
set -euo pipefail
program=cv-status.sh
# shellcheck source=jobs/run-folder.sh
. "$(dirname "${BASH_SOURCE[0]}")/run-folder.sh"

help_text() {
  cat <<'HELP'
Usage: cv-status.sh RUN

Shows the folds of RUN, made by submit-cv.sh or run-local.sh (or a point of a grid, or all of a grid), a line each:

  fold      N of RUN/fold-N; with repeats also which repeat and fold that is; all: the final model on every case, if
            cmus-train --fold all was started by hand
  state     waiting    not begun yet
            running
            requeued   will begin again from its checkpoint
            stopped    ended on request: it goes on by --continue
            finished
            failed     ended, and will not begin again by itself
  epoch     the one it is in, of all
  loss      mean training loss of the last whole epoch
  accuracy  of the held-out fold at the last evaluation
  left      time that the training still takes, at the pace of the last epochs
  node      where it runs, or ran last
  restarts  starts after the first
  why       of waiting, requeued, stopped and failed

It reads the files in RUN; where jobs were submitted and Slurm is at hand, also squeue.
Exit code: 0 shown, 1 RUN can't be read, 2 wrong usage.
HELP
}

# Slurm's queue for $run: queue, and queue_known, empty if there is no Slurm that could be asked.
read_queue() {
  queue='' queue_known=''
  if [ -e "$run/jobs.json" ] && command -v squeue >/dev/null && queue=$(queue_of_run 2>/dev/null); then
    queue_known=yes
  fi
}

is_alive() { # N: a rank has written its lock, or the fold its log, within the last minute
  [ -n "$(find "$run/fold-$1.lock" "$run/logs/fold-$1.log" -newermt '60 seconds ago' 2>/dev/null || true)" ]
}

# Sets state and why of fold N from its folder, the queue and the last mark in its log.
find_state() { # N
  local n=$1 entry in_queue='' line
  why=''
  if fold_finished "$n"; then
    state=finished
    return
  fi
  line=$(last_mark "$n")
  entry=$(grep "^[0-9]*|$n|" <<<"$queue" | head -n 1) || true
  [ -z "$entry" ] || IFS='|' read -r _ _ in_queue _ why <<<"$entry"
  case $in_queue in
    '') state_without_queue "$n" "$line" ;;
    PENDING | REQUEUED | REQUEUE_HOLD | SPECIAL_EXIT)
      state=waiting
      [ "$starts" = 0 ] || state=requeued ;;
    *) state=running why='' ;;
  esac
}

state_without_queue() { # N LAST_MARK
  local text=${2#end: exit code *: } # without the code, the verdict and the time
  text=${text#failed: } text=${text#requeued: } text=${text#stopped: } text=${text%, *}
  case $2 in
    'never started') state=waiting ;;
    start*)
      state=running
      is_alive "$1" || { state=failed why="no sign of life: its node, or what started it, is gone"; } ;;
    *': requeued'*) state=requeued why=$text ;;
    *': stopped'* | *': left to Slurm'*) state=stopped why=$text ;;
    *) state=failed why="$text; $(last_error "$run/logs/fold-$1.log")" ;;
  esac
  # what waits for Slurm, but is not in its queue, waits in vain
  if [ -n "$queue_known" ] && { [ "$state" = waiting ] || [ "$state" = requeued ]; }; then
    state=failed why="not in the queue any more${why:+; $why}"
  fi
}

# Sets epoch, loss, accuracy and left of fold N from its tables.
find_progress() { # N
  local folder=$run/fold-$1 updates=0 seconds='' facts=()
  epoch=- loss=- accuracy=- left=-
  if [ -s "$folder/steps.csv" ]; then
    read -r updates epoch seconds < <(awk -F, '
      NR == 1 {for (i = 1; i <= NF; i++) at[$i] = i; next}
      NF >= at["seconds"] {step = $at["step"]; epoch = $at["epoch"]; last[NR % 50] = $at["seconds"]; rows++}
      END {for (i in last) sum += last[i]
           print step + 0, rows ? epoch : "-", rows ? sum / (rows < 50 ? rows : 50) : 0}' "$folder/steps.csv")
    [ "$epoch" = - ] || epoch=$epoch/$epochs
  fi
  if [ -s "$folder/train.csv" ]; then
    read -r -a facts < <(awk -F, -v own="${seconds:-0}" -v updates="$updates_per_epoch" '
      NR == 1 {for (i = 1; i <= NF; i++) at[$i] = i; next}
      NF >= at["seconds"] {rows++; loss = $at["train_loss"]; last[NR % 3] = $at["seconds"]
        if ($at["val_accuracy"] != "") accuracy = $at["val_accuracy"]}
      END {for (i in last) sum += last[i]
           printf "%s %s %s\n", rows ? sprintf("%.4f", loss) : "-", accuracy == "" ? "-" : sprintf("%.3f", accuracy),
             rows ? sum / (rows < 3 ? rows : 3) / updates : own}' "$folder/train.csv")
    loss=${facts[0]} accuracy=${facts[1]} seconds=${facts[2]}
  fi
  [ -z "$seconds" ] || left=$(awk -v seconds="$seconds" -v updates=$((epochs * updates_per_epoch - updates)) 'BEGIN {
    t = int(seconds * (updates < 0 ? 0 : updates) + 0.5)
    printf "%d:%02d:%02d\n", t / 3600, t / 60 % 60, t % 60}')
}

show_fold() { # N
  local n=$1 starts node state why epoch loss accuracy left title=$1
  [ "$repeats" = 1 ] || title="$n (repeat $((n / folds)), fold $((n % folds)))"
  starts=$(grep -c '^== start ' "$run/logs/fold-$n.log" 2>/dev/null) || starts=${starts:-0}
  node=$(sed -n 's/^== start .* on \(.*\), job .*/\1/p' "$run/logs/fold-$n.log" 2>/dev/null | tail -n 1) || true
  find_state "$n"
  find_progress "$n"
  show_row "$title" "${node:--}" "$((starts > 1 ? starts - 1 : 0))"
}

show_row() { # TITLE NODE RESTARTS: what find_state and find_progress have set
  [ "$state" != finished ] || left=-
  printf "%-${width}s  %-8s  %9s  %8s  %8s  %9s  %-12s  %8s  %s\n" "$1" "$state" "$epoch" "$loss" "$accuracy" "$left" \
    "$2" "$3" "$why"
}

# The final model on every case, if there is one: cmus-train --fold all is not started by these scripts.
show_all() {
  local folder=$run/fold-all state=stopped why='cmus-train --fold all --resume continues it' epoch loss accuracy left
  local cases batch epochs updates_per_epoch
  [ -f "$folder/run.json" ] || return 0
  if fold_finished all; then
    state=finished why=''
  elif is_alive all; then
    state=running why=''
  fi
  cases=$(sed -n 's/^ *"training_cases": \([0-9]*\).*/\1/p' "$folder/run.json")
  batch=$(sed -n 's/^batch: \([0-9]*\).*/\1/p' "$folder/config.yaml")
  epochs=$(sed -n 's/^epochs: \([0-9]*\).*/\1/p' "$folder/config.yaml")
  updates_per_epoch=$(((cases + batch - 1) / batch))
  find_progress all
  show_row all - -
}

show_report() {
  if [ -f "$run/report/report.html" ]; then
    echo "report: $run/report/report.html, $(date -r "$run/report/report.html" +%Y-%m-%dT%H:%M:%S)"
  elif [ -s "$run/logs/aggregate.log" ]; then
    echo "report: not made; see $run/logs/aggregate.log"
  else
    echo "report: not made yet"
  fi
}

show_run() { # RUN
  local n queue queue_known width=4
  load_run "$1"
  [ "$repeats" = 1 ] || width=24
  read_queue
  echo "$run"
  printf "%-${width}s  %-8s  %9s  %8s  %8s  %9s  %-12s  %8s  %s\n" fold state epoch loss accuracy left node restarts why
  for ((n = 0; n < folds * repeats; n++)); do
    show_fold "$n"
  done
  show_all
  show_report
}

case ${1:-} in
  --help | -h) help_text; exit 0 ;;
  -?*) usage_error "unknown option $1" ;;
esac
[ $# -eq 1 ] || usage_error "one RUN is needed"
load_run "$(absolute_path "$1")"
if is_grid; then
  grid=$run grid_points=("${points[@]}")
  for point in "${grid_points[@]}"; do
    show_run "$grid/$point"
    echo
  done
  run=$grid
  echo "$run: comparison"
  show_report
else
  show_run "$run"
fi
