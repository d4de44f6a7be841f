#!/usr/bin/env bash
# Fetch the new pages of a feed and filter them: hourly.sh FEED FOLDER. What fails is done again the next time.
set -euo pipefail
feed=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2" && cd "$2"
exec 9>.lock && flock --nonblock 9 || exit 0 # the run before is not through yet
python "$here/fetch.py" "$feed" new done || true
shopt -s nullglob
pages=(new/*.html)
[ ${#pages[@]} -gt 0 ] || exit 0
mkdir -p clean
trainer filter "${pages[@]}" --skip-bad --out "clean/$(date -u +%Y%m%dT%H%M%S).jsonl"
mv "${pages[@]}" done/
