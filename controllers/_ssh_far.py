"""What runs on the far side of `ssh`: fixed shell texts, and the words in which they are told what to do. What became of it: `_ssh_ask`.

No data is in a command: a text and a name that matches `NAME` are all of it. Folder, arguments, variables, parameters and the
script come over standard input, as lines and counted bytes. The texts want a POSIX sh, /proc and the tools of `TOOLS`, as
coreutils and busybox have them; they hold no single quote, so that any login shell can hand them to /bin/sh.

Why files by name in one folder and no folder by name, and no perl or python: each process costs a far side 1 ms, and a script's
own cost is hardly more. In the user's folder, for a name (a token and a hash of the target):

NAME.claim     who, and since when: made by whom comes first (O_EXCL), also by a `find` that wants it never to start, where no other file is
NAME.PID.script, NAME.out, NAME.err, NAME.child (its process group), NAME.cancel (its end was asked for)
id             of the folder: another one has another, so that having no trace of a job there says nothing
NAME.status    how it ended: one line that ends with ` end`, so that a half of it is none
NAME.drained   all output is in its file
NAME.work, NAME.report, revisions/   of playbooks, see `_away/machine`
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,199}")
OUTPUT_BYTES: Final = 1 << 20
KILL_AFTER_S: Final = 10
TOOLS: Final = ("head", "tee", "timeout", "rm", "grep", "tr", "tail", "sleep", "wc", "id", "ls", "mkdir", "find")
PLAIN_SHELLS: Final = frozenset({"sh", "dash", "ash"})
"""Login shells that run the texts themselves: one process fewer."""
TEXT_BYTES_MAX: Final = 4 << 10
"""A script up to this size that is ASCII is read by the shell itself, byte by byte; `head` costs a process, which is more."""
SWEPT_DAYS: Final = 30
"""What is older than so many days in the folder is of attempts that nobody knows any more."""

PROBE: Final = f"""
umask 077
missing=
for tool in {" ".join(TOOLS)}; do command -v $tool >/dev/null || missing="$missing $tool"; done
[ -r /proc/self/stat ] && [ -r /proc/sys/kernel/random/boot_id ] || missing="$missing /proc"
[ -z "$missing" ] || {{ printf "healer: lacks%s\\n" "$missing"; exit; }}
IFS= read -r boot </proc/sys/kernel/random/boot_id
place=${{TMPDIR:-/tmp}}
base=${{place%/}}/healer-$(id -u)
[ -d "$place" ] || {{ printf "healer: missing %s\\n" "$place"; exit; }}
[ -O "$place" ] || [ -k "$place" ] || {{ printf "healer: open %s\\n" "$place"; exit; }}
mkdir "$base" 2>/dev/null
[ -d "$base" ] && [ ! -L "$base" ] && [ -O "$base" ] && cd -P -- "$base" && [ -O . ] || {{ printf "healer: taken %s\\n" "$base"; exit; }}
case $(ls -ldn .) in drwx------*) ;; *) printf "healer: taken %s\\n" "$base"; exit;; esac
find . -name revisions -prune -o -type f ! -name id -mtime +{SWEPT_DAYS} -exec rm -f {{}} +
id=
tries=5
while [ -z "$id" ] && [ "$tries" -gt 0 ]; do
  [ -s id ] || {{ IFS= read -r new </proc/sys/kernel/random/uuid; (set -C; printf "%s\n" "$new" >id) 2>/dev/null; }}
  if [ -e id ]; then IFS= read -r id <id || id=; fi
  case $id in ""|*[!0-9a-f-]*) rm -rf id; id=;; esac
  tries=$((tries - 1))
done
exact=$(printf "abc\\n" | {{ head -c 1 >/dev/null; read -r rest; printf %s "$rest"; }})
group() {{ rest=${{1##*)}}; set -- $rest; printf %s "$3"; }}
read -r own </proc/self/stat
theirs=$(timeout -k 1 9 /bin/sh -c "read -r s </proc/self/stat; printf %s \\"\\$s\\"")
mode=plain
[ "$(group "$theirs")" != "$(group "$own")" ] || mode=setsid
[ "$mode" = plain ] || command -v setsid >/dev/null || {{ printf "healer: lacks setsid\\n"; exit; }}
[ -n "$theirs" ] || {{ printf "healer: lacks timeout\\n"; exit; }}
[ "$exact" = bc ] || exact=no
python=no
command -v python3 >/dev/null && python=yes
printf "healer: ready %s %s %s %s %s\\n%s\\n" "$boot.$id" "$exact" "$mode" "${{SHELL:-none}}" "$python" "$PWD"
"""
"""Makes the user's own folder, once with an id of its own, and says what is here: `ready BOOT.ID EXACT MODE SHELL
PYTHON`, then the folder's path in a line of its own."""

SWEEP: Final = """marked() {
  if printf "x\\000y\\000" | grep -qzxF y 2>/dev/null; then
    grep -lzxF "HEALER_MARK=$name." /proc/[0-9]*/environ 2>/dev/null
    return
  fi
  for one in /proc/[0-9]*/environ; do
    if [ -O "$one" ] && tr "\\000" "\\n" <"$one" 2>/dev/null | grep -qxF "HEALER_MARK=$name."; then printf "%s\\n" "$one"; fi
  done
}
sweep() {
  for one in $(marked); do one=${one#/proc/}; kill "-$1" "${one%/environ}" 2>/dev/null; done
}
"""
"""Signals what came of a job, whatever sessions it made. Not every grep reads lines that end with NUL."""
GROUPED: Final = """grouped() {
  for one in /proc/[0-9]*/stat; do
    IFS= read -r stat 2>/dev/null <"$one" || continue
    rest=${stat##*)}
    set -- $rest
    [ "$3" != "$child" ] || case $1 in Z|X) ;; *) return 0;; esac
  done
  return 1
}
"""
"""Whether somebody of the process group of a job is alive."""

RUN: Final = f"""
umask 077
trap : HUP PIPE
nl="
"
IFS= read -r base && IFS= read -r nonce && read -r exact mode limit size text chmod envs count id || exit 64
tell() {{ printf "\\000%s %s\\n" "$nonce" "$1"; }}
set --
while [ "$count" -gt 0 ]; do
  read -r lines && IFS= read -r value || exit 64
  while [ "$lines" -gt 1 ]; do IFS= read -r line || exit 64; value=$value$nl$line; lines=$((lines - 1)); done
  set -- "$@" "$value"
  count=$((count - 1))
done
IFS= read -r json || exit 64
[ ! -L "$base" ] && cd -P -- "$base" 2>/dev/null && [ -O . ] && [ -s id ] && IFS= read -r value <id && [ "$value" = "$id" ] || {{
  tell "refused folder"
  exit
}}
script=
if [ "$size" -gt 0 ]; then
  script=$PWD/$name.$$.script
  go=
  if [ "$text" = 0 ]; then head -c "$size" >"$script" 2>/dev/null
  else
    value=$1
    shift
    {{ printf %s "$value" >"$script"; }} 2>/dev/null || {{ rm -f "$script"; tell "refused room"; exit; }}
    exact=bc
  fi
  if [ "$exact" = bc ]; then IFS= read -r go; else [ "$(wc -c <"$script")" -ne "$size" ] || go=go; fi
  [ "$go" = go ] || {{ rm -f "$script"; tell "refused script"; exit; }}
  [ "$chmod" = 0 ] || chmod 700 "$script"
  set -- "$@" "$script"
else
  IFS= read -r go && [ "$go" = go ] || exit 64
fi
IFS= read -r boot </proc/sys/kernel/random/boot_id
read -r own </proc/$$/stat
read -r began rest </proc/uptime
set -C
why=used
{{ why=room; printf "%s %s %s at%s\\n" "$$" "$boot" "$own" "$began" && why=; }} 2>/dev/null >"$name.claim"
if [ -n "$why" ]; then
  [ -z "$script" ] || rm -f "$script"
  if [ "$why" = room ]; then rm -f "$name.claim"; elif [ ! -e "$name.claim" ]; then why=room; fi
  tell "refused $why"
  exit
fi
set +C
relay() {{ trap "" HUP PIPE XFSZ; ulimit -f {OUTPUT_BYTES // 512 + 1} 2>/dev/null; exec tee "$name.$1" 2>/dev/null; }}
{SWEEP}{GROUPED}supervise() {{
  trap : HUP PIPE INT TERM
  read -r began rest </proc/uptime
  printf %s "$json" | {{
    exec 3>&- 4>&- 5>&-
    cd
    unset OLDPWD
    healer__timeout=timeout
    healer__mode=$mode healer__left=$envs healer__limit=$limit healer__mark=$name.
    [ "$mode" = setsid ] || healer__mode=
    while [ "$healer__left" -gt 0 ]; do
      case $1 in PATH=*)
        healer__timeout=$(command -v timeout)
        [ -z "$healer__mode" ] || healer__mode=$(command -v setsid);;
      esac
      export "$1"
      shift
      healer__left=$((healer__left - 1))
    done
    HEALER_MARK=$healer__mark; export HEALER_MARK
    exec ${{healer__mode:+"$healer__mode"}} "$healer__timeout" -k {KILL_AFTER_S} "$healer__limit" "$@"
  }} &
  child=$!
  {{ printf "%s\\n" "$child" >"$name.child"; }} 2>/dev/null
  [ ! -e "$name.cancel" ] || kill -TERM "-$child" 2>/dev/null || kill -TERM "$child"
  while :; do wait "$child" 2>/dev/null; code=$?; kill -0 "$child" 2>/dev/null || break; done
  read -r ended rest </proc/uptime
  asked=0
  [ ! -e "$name.cancel" ] || asked=1
  case $asked$code in 1*|0124|0137|0143) sweep TERM;; esac
  if kill -TERM "-$child" 2>/dev/null; then
    tries=20
    while [ "$tries" -gt 0 ] && grouped; do sleep 0.1 || sleep 1; tries=$((tries - 1)); done
    kill -KILL "-$child" 2>/dev/null
  fi
  case $asked$code in 1*|0124|0137|0143) sweep KILL;; esac
  for try in 1 2; do
    {{ printf "%s %s %s %s end\\n" "$code" "$began" "$ended" "$asked" >"$name.status"; }} 2>/dev/null && break
    [ -z "$script" ] || rm -f "$script"
  done
  tell "ended $code $began $ended $asked end" >&5 2>/dev/null
}}
exec 5>&2
{{ supervise "$@" 2>&1 >&3 3>&- | relay err >&5 3>&- 5>&-; }} 3>&1 | relay out 5>&-
{{ printf "" >"$name.drained"; }} 2>/dev/null
if [ -s "$name.err" ]; then tell "drained both" >&2; tell "drained both"; else tell "drained alone"; fi
if IFS= read -r kept && [ "$kept" = "$nonce" ]; then exec rm -rf "$name".*; fi
[ -z "$script" ] || exec rm -f "$script"
"""
"""Runs a job, once under its name, and streams what it says. See `order` for what it reads and `Mark` for what it tells of itself."""


# --- asking -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What a probe found. `boot`: of the machine, and the folder's id; `exact`: head takes no byte too many; `mode`: whether setsid has
    to make the process group; `python`: whether `_ssh_worker` may be tried."""

    folder: str
    boot: str
    exact: bool
    mode: Literal["plain", "setsid"]
    shell: str
    python: bool

    @property
    def id(self) -> str:
        """Of the folder."""
        return self.boot.partition(".")[2]


class Unfit(Exception):
    """what the far side lacks, in words for people"""


def command(text: str, name: str = "", shell: str = "") -> str:
    """What the login shell is given. Raises ValueError for a name that is none."""
    if name and not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an attempt")
    if shell.rpartition("/")[2] in PLAIN_SHELLS:
        return f"name={name}\n{text}"
    return f"exec /bin/sh -c 'name={name}\n{text}'"


def order(
    place: Place, nonce: str, limit_s: float, argv: Sequence[str], environment: Mapping[str, str], stdin: str, script: bytes | None,
    *, binary: bool = False,
) -> bytes:  # fmt: skip
    """What `RUN` reads. `stdin` is one line. Raises ValueError for a NUL or a second line, which could not be sent."""
    text = (
        script is not None and not binary and len(script) <= TEXT_BYTES_MAX and script.isascii() and b"\0" not in script
    )
    values = [script.decode("ascii")] if text and script else []
    values += [f"{key}={value}" for key, value in environment.items()]
    values += argv
    if "\0" in "".join(values) + stdin or "\n" in stdin:
        raise ValueError("an argument or a variable has a NUL")
    limit, size = max(1, math.ceil(limit_s)), len(script or b"")
    exact = "bc" if place.exact else "no"
    head = f"{exact} {place.mode} {limit} {size} {int(text)} {int(binary)} {len(environment)} {len(values)} {place.id}"
    lines = [place.folder, nonce, head]
    for value in values:
        lines += [str(value.count("\n") + 1), value]
    sent = "\n".join([*lines, stdin, ""]).encode("utf-8", "surrogateescape")
    return sent + (script + (b"go\n" if place.exact else b"") if script and not text else b"go\n")


# --- answers ----------------------------------------------------------------------------------------------------------


def place_of(answer: bytes) -> Place:
    """What `PROBE` answered. Raises `Unfit`."""
    lines = answer.decode("utf-8", "surrogateescape").splitlines()
    found = next((number for number, line in enumerate(lines) if line.startswith("healer: ")), None)
    words = lines[found].split(" ") if found is not None else []
    if words[1:2] == ["lacks"]:
        raise Unfit(
            f"it lacks {', '.join(words[2:])}; scripts and commands need {', '.join(TOOLS)} and Linux's /proc there"
        )
    if words[1:2] == ["taken"]:
        raise Unfit(
            f"{' '.join(words[2:])} is there and is no folder of the user's own with mode 0700; remove it there"
        )
    if words[1:2] == ["missing"]:
        raise Unfit(
            f"{' '.join(words[2:])}, where its temporary files are to be, is not there; make it, or set another TMPDIR"
        )
    if words[1:2] == ["open"]:
        raise Unfit(
            f"others may replace what is in {' '.join(words[2:])}; give the user another TMPDIR, or set its sticky bit"
        )
    if found is None or words[1:2] != ["ready"] or len(words) != 7 or found + 1 >= len(lines):
        said = " ".join(" ".join(lines).split())[:200] or "nothing"
        raise Unfit(
            f"its login shell does not hand a command on to /bin/sh (a forced command, nologin?): it said {said}"
        )
    _, _, boot, exact, mode, shell, python = words
    return Place(
        lines[found + 1], boot, exact == "bc", "setsid" if mode == "setsid" else "plain", shell, python == "yes"
    )
