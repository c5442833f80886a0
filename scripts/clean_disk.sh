#!/usr/bin/env bash
# Removes the oldest files of a folder until the rest is within its limit. Parameters: see clean_disk.meta.yml.
# The newest files, and what was changed lately, stay in any case: somebody may be writing them.
#
# `folder: disk` means a demonstration host (inventory/demo.yml): DATA_DIR/hosts/<target>/disk, found from the folder of the revision
# that scripts run in. Any other folder is one of this machine, so the target has to be this machine.
set -euo pipefail

limit=$((HEALER_PARAM_LIMIT_MIB * 1024 * 1024))
folder=$HEALER_PARAM_FOLDER keep_files=$HEALER_PARAM_KEEP_FILES
changed_since=$(($(date +%s) - HEALER_PARAM_KEEP_MINUTES * 60))
if [[ $HEALER_TARGET == *,* ]]; then
    echo "one target at a time, got $HEALER_TARGET: nothing is removed" >&2
    exit 1
elif [[ $folder == /* && $HEALER_TARGET != localhost && $HEALER_TARGET != "$HOSTNAME" && $HEALER_TARGET != "${HOSTNAME%%.*}" ]]; then
    echo "$folder of $HEALER_TARGET cannot be reached from here, and that of this machine is not meant: nothing is removed" >&2
    exit 1
elif [[ $folder != /* ]]; then
    folder=$(realpath -m -- "../../hosts/$HEALER_TARGET/$folder")
    mkdir -p -- "$folder"
fi
if [[ ! -d $folder || $(realpath -- "$folder") != "$folder" ]]; then
    echo "$folder is no folder, or a link leads to it: nothing is removed" >&2
    exit 1
fi
cd -- "$folder"

sizes() { find . -xdev -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%d\n", sum }'; }

before=$(sizes) left=$before removed=0
echo "$folder has $before bytes, the limit is $limit"
while ((left > limit)) && IFS= read -r -d '' found; do   # split by hand: a name may end with a space
    changed=${found%% *} found=${found#* }
    size=${found%% *} name=${found#* }
    ((${changed%.*} < changed_since)) || break         # all that follow are newer
    if [[ ${HEALER_DRY_RUN:-0} == 1 ]]; then
        printf 'would remove %q (%d bytes)\n' "$name" "$size"
    else
        rm -f -- "$name"
        printf 'removed %q (%d bytes)\n' "$name" "$size"
    fi
    left=$((left - size)) removed=$((removed + 1))
done < <(find . -xdev -type f -printf '%T@ %s %p\0' | sort -z -n | head -z -n "-$keep_files")

[[ ${HEALER_DRY_RUN:-0} == 1 ]] || left=$(sizes)       # what is there now, not what was reckoned
printf '{"removed": %d, "before_bytes": %d, "left_bytes": %d}\n' "$removed" "$before" "$left"
if ((left > limit)); then
    echo "$folder is still over its limit: the newest files ($keep_files) and those of the last $HEALER_PARAM_KEEP_MINUTES minutes stay" >&2
    exit 1
fi
