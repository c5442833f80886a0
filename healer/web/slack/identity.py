"""Who somebody in Slack is here: by workspace and user, as Slack says at this moment, and `principals` of `healer.yaml`. Caller: `desk`.

Names, e-mail addresses and membership of a channel say nothing. Who is no member of the workspace in good standing is refused: bots,
guests, deactivated people, those of other workspaces. What Slack cannot be asked is not taken for granted.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from healer import access, errors
from healer.notify.channels import _slack_api as api
from healer.web.slack import fresh

SEEN_S: Final = 60.0
"""So old may be what is known of somebody who only looks at something."""
WAITED_S: Final = 10.0
"""So old may it be of a click that has waited, where it was asked for after the click came."""
USER: Final = re.compile(r"[UW][A-Z0-9]{1,30}")
_SLACKBOT: Final = "USLACKBOT"
_GONE: Final = ("user_not_found", "user_not_visible", "users_not_found")


class Stranger(errors.RequestError):
    """You are {who} and not known to healer. Ask an admin to add to healer.yaml:  {entry}"""

    code = "unknown-person"
    status = 403


class NotFromHere(errors.RequestError):
    """You may do nothing here: {reason}."""

    code = "not-from-here"
    status = 403


class Unsure(errors.Unavailable):
    """Nothing was done: who you are cannot be asked of Slack now ({reason}). Try again, or use  healer approvals  in a shell."""

    code = "slack-unsure"


class Identities:
    """Asks Slack. `directory`: roles and people as they hold now; `team`: the workspace that the app is in."""

    def __init__(self, asked: api.Api, directory: Callable[[], access.Directory], team: str) -> None:
        self._api = asked
        self._directory = directory
        self._team = team
        self._users = fresh.Fresh(self._user)
        self._members = fresh.Fresh(self._group)

    async def of(
        self, team: str, user: str, user_team: str = "", *, came_s: float, looks: bool = False
    ) -> access.Principal:
        """Whom they act as. `user_team`: the workspace of the user, where that is told beside the one in which it happened; `came_s`: when
        it came, in the loop's time; `looks`: they only want to see something. Raises `Stranger`, `NotFromHere`, `Unsure`.
        """
        if team != self._team or user_team not in ("", team):
            raise NotFromHere(reason="you are of another workspace")
        if not USER.fullmatch(user) or user == _SLACKBOT:
            raise NotFromHere(reason="you are no person")
        now_s = asyncio.get_running_loop().time()
        since_s = now_s - SEEN_S if looks else max(came_s, now_s - WAITED_S)
        directory = self._directory()
        groups = directory.slack_groups(team)
        found, *members = await asyncio.gather(
            self._users.get(user, since_s), *(self._members.get(one, since_s) for one in groups), return_exceptions=True
        )
        if isinstance(found, BaseException):
            raise _unsure(found)
        _in_good_standing(found, user, team)
        inside = [
            group for group, some in zip(groups, members, strict=True) if isinstance(some, frozenset) and user in some
        ]
        principal = directory.of_slack(team, user, inside)
        if principal is not None:
            return principal
        for failed in members:
            if isinstance(failed, BaseException):
                raise _unsure(failed)
        who = f"{team}/{user}"
        raise Stranger(who=who, entry=f'principals: {{NAME: {{slack: "{who}", roles: [approver]}}}}')

    async def _user(self, user: str) -> Mapping[str, Any]:
        answer = await self._api.call("users_info", user=user)
        found = answer.get("user")
        return found if isinstance(found, dict) else {}

    async def _group(self, group: str) -> frozenset[str]:
        answer = await self._api.call("usergroups_users_list", usergroup=group)
        found = answer.get("users")
        if not isinstance(found, list):
            raise api.Failed("no_answer")
        return frozenset(one for one in found if isinstance(one, str))

    async def close(self) -> None:
        """Nothing is asked any more."""
        await self._users.close()
        await self._members.close()


def _in_good_standing(found: Mapping[str, Any], user: str, team: str) -> None:
    """Raises `NotFromHere`, and `Unsure` where Slack does not say it."""
    if found.get("id") != user:
        raise Unsure(reason="its answer is of nobody")
    if found.get("team_id") != team or found.get("is_stranger"):
        raise NotFromHere(reason="you are of another workspace")
    if found.get("deleted"):
        raise NotFromHere(reason="you are deactivated in Slack")
    if found.get("is_bot") or found.get("bot_id") or found.get("is_workflow_bot"):
        raise NotFromHere(reason="you are a bot")
    if found.get("is_restricted") or found.get("is_ultra_restricted"):
        raise NotFromHere(reason="you are a guest of this workspace")
    if any(found.get(flag) is not False for flag in ("deleted", "is_bot", "is_restricted", "is_ultra_restricted")):
        raise Unsure(reason="its answer says too little of you")


def _unsure(error: BaseException) -> Exception:
    if isinstance(error, api.Failed):
        return NotFromHere(reason="Slack does not know you") if error.code in _GONE else Unsure(reason=str(error))
    if isinstance(error, errors.HealerError):
        return Unsure(reason=error.message)
    raise error
