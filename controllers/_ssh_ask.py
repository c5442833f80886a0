"""What became of a job of `ssh`: the text that says it on the far side, how it is asked and what it answers.

The files that it looks at, and what may be in a text, are those of `_ssh_far`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final, Literal

from healer.controllers._ssh_far import GROUPED, KILL_AFTER_S, SWEEP, Place

DEAD_WAITS: Final = 1
"""So many tenths of a second a word of the end is waited for where whoever supervised it is dead: it may just have come."""
LOST_WAITS: Final = 30
"""The same where nobody knows who supervised it."""
CHILD_WAITS: Final = 3
"""So often a job whose end is asked for is looked at until what bears its mark is ended without its group being known."""

ASK: Final = f"""
umask 077
trap : HUP PIPE
IFS= read -r base && read -r what out err limit || exit 64
grace={KILL_AFTER_S}
{SWEEP}{GROUPED}lost() {{
  [ -n "$(marked)" ] || return 1
  [ "$what" = end ] || return 0
  sweep TERM
  tries=$(({KILL_AFTER_S} * 10))
  while [ "$tries" -gt 0 ] && [ -n "$(marked)" ]; do sleep 0.1 || sleep 1; tries=$((tries - 1)); done
  sweep KILL
}}
[ ! -L "$base" ] && cd -P -- "$base" 2>/dev/null && [ -O . ] && [ -s id ] && IFS= read -r id <id || {{
  if [ "$what" = end ] && lost; then printf "healer: none lost\\n"; else printf "healer: gone\\n"; fi
  exit
}}
IFS= read -r boot </proc/sys/kernel/random/boot_id
alive() {{
  [ "$then" = "$boot" ] && [ "$pid" -gt 1 ] || return 1
  IFS= read -r now 2>/dev/null </proc/$pid/stat || return 1
  [ "$(born "$now")" = "$(born "$line")" ] || return 1
  case ${{now##*)}} in " T "*|" t "*) ;; *) return 0;; esac
  [ -s "$name.child" ] && read -r child <"$name.child" || return 0
  kept && grouped
}}
born() {{
  rest=${{1##*)}}
  set -- $rest
  case $1 in Z|X) printf gone;; *) printf %s "${{20}}";; esac
}}
kept() {{
  of=$child
  hops=4
  while [ "$of" != "$pid" ]; do
    [ "$of" -gt 1 ] && [ "$hops" -gt 0 ] && IFS= read -r stat 2>/dev/null <"/proc/$of/stat" || return 1
    rest=${{stat##*)}}
    set -- $rest
    of=$2
    hops=$((hops - 1))
  done
}}
traced() {{
  for one in "$name".child "$name".out "$name".err "$name".status "$name".drained "$name".cancel "$name".*.script; do
    [ -e "$one" ] || continue
    pid=${{one%.script}}
    [ "$pid" != "$one" ] && [ -e "/proc/${{pid##*.}}" ] || return 0
  done
  return 1
}}
told() {{
  status=
  [ ! -s "$name.status" ] || IFS= read -r status <"$name.status"
  case $status in *" end") ;; *) return 1;; esac
  state="ended $status"
  [ ! -e "$name.drained" ] || state="drained $status"
}}
overdue() {{
  case ${{line##* }} in at[0-9]*) ;; *) return;; esac
  [ "$what" != end ] && [ "$limit" -gt 0 ] && [ "$then" = "$boot" ] || return
  at=${{line##* at}}
  read -r now rest </proc/uptime
  late=$((${{now%%.*}} - ${{at%%.*}} - limit - 2 * grace))
  if [ "$late" -gt "$grace" ]; then sweep KILL; elif [ "$late" -gt 0 ]; then sweep TERM; sweep CONT; fi
}}
look() {{
  state=unknown
  waits=10
  while :; do
    line=
    if [ -e "$name.claim" ]; then IFS= read -r line <"$name.claim"
    elif traced; then [ -e "$name.claim" ] || break
    elif [ "$what" = peek ]; then state=absent; return
    else
      set -C
      {{ printf "none %s never\\n" "$boot" >"$name.claim"; }} 2>/dev/null
      set +C
    fi
    [ -z "$line" ] && [ "$waits" -gt 0 ] || break
    waits=$((waits - 1))
    [ "$waits" -gt 8 ] || sleep 0.1 || sleep 1
  done
  case $line in "none "*) state=absent; return;; esac
  pid=${{line%% *}}; then=${{line#* }}; then=${{then%% *}}
  ! told || return 0
  if alive; then state=running; return; fi
  waits={DEAD_WAITS}
  [ -e "$name.claim" ] || waits={LOST_WAITS}
  while ! told; do
    if [ -n "$(marked)" ]; then overdue; state=running; return; fi
    [ "$waits" -gt 0 ] || return
    waits=$((waits - 1))
    sleep 0.1 || sleep 1
  done
}}
stop() {{
  if alive && [ -n "$child" ]; then kill "-$1" "-$child" 2>/dev/null || kill "-$1" "$child" 2>/dev/null; fi
  sweep "$1"
}}
look
if [ "$state" = absent ] && lost; then state=lost; fi
if [ "$what" = end ] && [ "$state" = running ]; then
  {{ printf "" >"$name.cancel"; }} 2>/dev/null || {{ rm -f "$name".*.script; printf "" >"$name.cancel"; }} 2>/dev/null
  tries=$(({KILL_AFTER_S} * 10))
  told=
  waited=0
  while [ "$state" = running ]; do
    child=
    [ ! -s "$name.child" ] || read -r child <"$name.child"
    waited=$((waited + 1))
    if [ "$told" != "${{child:-none}}" ] && {{ [ -n "$child" ] || [ "$waited" -gt {CHILD_WAITS} ]; }}; then
      told=${{child:-none}}
      stop TERM
    fi
    [ "$tries" -gt 0 ] || {{ stop KILL; [ "$tries" -gt -30 ] || break; }}
    sleep 0.1 || sleep 1
    tries=$((tries - 1))
    look
  done
fi
if [ "$what" = drop ]; then
  case $state in running|unknown|lost) ;; absent) rm -f "$name".*.script;; *)
    case $state in ended*) if alive; then kill -TERM "-$pid" 2>/dev/null; fi;; esac
    rm -rf "$name".*;;
  esac
fi
printf "healer: %s %s\\n" "$boot.$id" "$state"
[ ! -s "$name.out" ] || tail -c +$((out + 1)) "$name.out"
[ ! -s "$name.err" ] || tail -c +$((err + 1)) "$name.err" >&2
"""
"""Says what became of a job, with its output from two offsets on: `peek` looks, `find` claims what nobody has and nothing is left of, so
that it never starts, `end` ends it before, `drop` removes what an end has left. It is `running` as long as its supervisor lives (one that
is stopped: as long as it has not reaped its child, so that the group is certainly the job's, and that group lives) or something bears its
mark; what still does when the deadline is over by two graces (who else holds it has done so by then), without
a supervisor, is ended by whoever asks. All files of a job but its
script are made after its claim, so that one without a claim has lost it; a script is no trace while whoever made it lives, who may be
before the claim."""


def question(
    place: Place, what: Literal["peek", "find", "end", "drop"], out: int = 0, err: int = 0, limit_s: float = 0
) -> bytes:
    """What `ASK` reads. `limit_s`: the deadline of the job, 0 where it is not to be held."""
    return f"{place.folder}\n{what} {out} {err} {math.ceil(limit_s)}\n".encode()


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What `ASK` saw: `gone` where the folder itself is missing, `lost` where a job was at work whose files are. `boot`: as of `Place`."""

    state: Literal["running", "ended", "drained", "absent", "unknown", "gone", "lost"]
    boot: str = ""
    status: tuple[str, ...] = ()


def seen(answer: bytes) -> tuple[Seen, bytes] | None:
    """The first line of an answer, read, and the output behind it; None where it is no answer."""
    at = 0 if answer.startswith(b"healer: ") else answer.find(b"\nhealer: ") + 1  # a login shell may greet first
    line, end, rest = answer[at:].partition(b"\n")
    words = line.decode("ascii", "replace").split()
    if not end or words[:1] != ["healer:"]:
        return None
    if words[1:] == ["gone"]:
        return Seen("gone"), rest
    if len(words) < 3 or words[2] not in ("running", "ended", "drained", "absent", "unknown", "lost"):
        return None
    return Seen(words[2], words[1], tuple(words[3:])), rest  # type: ignore[arg-type]
