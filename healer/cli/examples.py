"""Examples of each command, which its help shows: what people do most, as they would type it.

Caller: `usage`, only where help is printed. A test types every one of them.
"""

from __future__ import annotations

from typing import Final

GROUP_MAX: Final = 4

Example = tuple[str, str]
"""What is typed behind `healer`, and what for."""

EXAMPLES: Final[dict[str, tuple[Example, ...]]] = {
    "init": (("init", "into this folder"), ("init heal", "into a new one")),
    "run": (("run", "on this folder"), ("run --project heal --mode observe", "decides, touches nothing")),
    "serve": (("serve --host 0.0.0.0 --port 8081", "others may send too"),),
    "reload": (("reload --preview", "what would change"), ("reload --yes", "from a script")),
    "completion": (
        ("completion bash > ~/.local/share/bash-completion/completions/healer", "for bash"),
        ("completion zsh > ~/.zfunc/_healer", "for zsh, in whose fpath that is"),
        ("completion fish > ~/.config/fish/completions/healer.fish", "for fish"),
    ),
    "status": (("status", "once"), ("status --watch 5", "every 5 seconds"), ("status --json", "for a program")),
    "alerts": (("alerts --status firing", "what fires now"), ("alerts --watch", "and goes on to")),
    "runs list": (
        ("runs --failed --since 2h", "what failed lately"),
        ("runs --state running,queued --watch", "what is at work, again and again"),
    ),
    "runs show": (("runs show r-7f3k2m", "one in full"), ("runs show r-7f3k2m --follow", "what it prints")),
    "runs cancel": (('runs cancel r-7f3k2m --reason "the wrong host"', "asks first"),),
    "runs start": (('runs start r-7f3k2m --break-glass --reason "the site is down"', "past its gates; asks first"),),
    "runs resolve": (('runs resolve r-7f3k2m --as failed --reason "looked at web01"', "asks first"),),
    "locks list": (("locks", "what is locked, by which run"),),
    "locks release": (('locks release web01 --reason "nothing runs there"', "asks first"),),
    "events list": (("events --source alertmanager --since 1h", "what came in of it"),),
    "events show": (("events show e-12", "one in full"),),
    "events resend": (("events resend e-12 e-13", "once more; may start actions"),),
    "events quarantine list": (("events quarantine", "what no rule could digest"),),
    "events quarantine release": (("events quarantine release e-12 --reason mended", "have it tried again"),),
    "events quarantine drop": (("events quarantine drop e-12", "give it up; asks first"),),
    "audit list": (("audit list --actor ana --from 2026-03-01", "what she did since"),),
    "audit verify": (("audit verify", "of this project"), ("audit verify --db copy/healer.db", "of a copy, elsewhere")),
    "approvals list": (("approvals", "what waits"), ("approvals --watch", "and goes on to")),
    "approvals show": (("approvals show r-7f3k2m", "what would run, on what"),),
    "approvals approve": (
        ('approvals approve r-7f3k2m --reason "seen"', "one"),
        ("approvals approve b-7f3k2m --on web01", "of many alike"),
    ),
    "approvals reject": (('approvals reject r-7f3k2m --reason "not now"', "one"),),
    "actions list": (("actions", "what may be done"),),
    "actions show": (("actions show restart_service", "its parameters and gates"),),
    "actions run": (
        ("actions run restart_service --target web01 --param service=nginx", "asks when the mode is active"),
        ("actions run clean_disk --target web01 --dry-run", "asks every gate, touches nothing"),
    ),
    "controllers list": (("controllers", "how targets are reached"),),
    "controllers show": (("controllers show web", "one with its options"),),
    "controllers check": (("controllers check", "whether all are usable now"),),
    "sources list": (("sources", "what delivers events, and how each does"),),
    "sources show": (("sources show alertmanager", "with what is entered at its sender's side"),),
    "breakers list": (("breakers", "what failed so often that it is stopped"),),
    "breakers close": (('breakers close clean_disk --controller local --reason "the disk was replaced"', "asks first"),),
    "version": (("version --json", "with which Python"),),
    "explain": (
        ("explain --latest", "why the newest event did, or did not, lead to something"),
        ("explain r-7f3k2m --format markdown", "for a comment on a pull request"),
    ),
    "simulate": (
        ("simulate examples/disk_full.json", "what it would lead to"),
        ("simulate e-12 --why --plan", "with all conditions, and what the controllers would do"),
    ),
    "validate": (("validate", "this folder"), ("validate heal --strict", "another one; warnings fail too")),
    "test": (("test", "all tests of this project"), ("test rulebooks --coverage", "and what none of them has seen")),
    "policy show": (
        ("policy show --for restart_service --target web01", "what holds for that run"),
        ("policy show --defaults", "what ships"),
    ),
    "schema": (("schema", "the kinds"), ("schema rulebook > rulebook.json", "one")),
    "replay": (("replay rulebooks/disk.yml --steps steps.jsonl", "what would fire"),),
    "pause": (
        ('pause --all --reason "web/restart hits healthy nodes"', "at once, without a question"),
        ("pause --rule web/restart --for 2h", "one rule, for a time"),
    ),
    "resume": (("resume --all", "shows what would go on, and asks"), ("resume --rule web/restart --yes", "from a script")),
    "silence add": (('silence add alertname=NodeDown env=prod --for 2h --comment "being replaced"', "for two hours"),),
    "silence list": (("silence", "all of them"),),
    "silence end": (("silence end s-7f3k2m", "before its time; asks first"),),
    "notify outbox list": (("notify outbox", "the newest"), ("notify outbox --undelivered", "what its channel did not take")),
    "notify outbox retry": (("notify outbox retry n-12", "now, not at its next time"),),
    "notify outbox drop": (("notify outbox drop n-12", "asks first"),),
    "notify answer": (("notify answer n-12", "it goes to nobody else"),),
    "notify check": (("notify check", "whether all can be reached; nothing is sent"), ("notify check ops", "one of them")),
    "notify test": (("notify test ops", "whether it arrives"),),
    "keys create": (("keys create ci --role operator > key", "the key stands in the file alone"),),
    "keys list": (("keys", "who has which"),),
    "keys revoke": (("keys revoke 7f3k2m", "for good; asks first"),),
    "send": (
        ("send examples/disk_full.json", "asks when the mode is active"),
        ("send alert.json --hook alertmanager --yes", "as that sender would"),
    ),
}  # fmt: skip


def of(words: str) -> list[Example]:
    """Those of a command; of a group some of those below it."""
    found = (
        EXAMPLES.get(words)
        or tuple(one[0] for name, one in EXAMPLES.items() if name.startswith(f"{words} "))[:GROUP_MAX]
    )
    return [(f"healer {typed}", about) for typed, about in found]
