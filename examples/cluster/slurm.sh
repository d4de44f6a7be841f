#!/bin/bash
#SBATCH --job-name=filter-news
#SBATCH --array=0-15
#SBATCH --cpus-per-task=16
#SBATCH --mem=8G
#SBATCH --time=12:00:00
#SBATCH --requeue
# Each task of the array takes every 16th file and has an output folder of its own; a task that is started again goes on where it
# was. sbatch examples/cluster/slurm.sh /shared/crawl /shared/clean
set -euo pipefail
mapfile -t files < <(find "$1" -type f -name '*.jsonl.gz' | LC_ALL=C sort |
    awk -v n="$SLURM_ARRAY_TASK_COUNT" -v i="$SLURM_ARRAY_TASK_ID" 'NR % n == i')
if [[ ${#files[@]} -eq 0 ]]; then
    echo "no files for task $SLURM_ARRAY_TASK_ID: there are fewer files than tasks"
    exit
fi
exec trainer bulk "${files[@]}" --out "$2/part-$SLURM_ARRAY_TASK_ID" --workers "$SLURM_CPUS_PER_TASK"
