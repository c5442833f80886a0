"""Permissions and roles."""

from __future__ import annotations

import pytest

from healer import access


def test_admin_may_everything_and_nobody_nothing() -> None:
    assert access.permissions_of("admin") == set(access.PERMISSIONS)
    assert not access.NOBODY.permissions


@pytest.mark.parametrize("role", sorted(access.ROLES))
def test_a_role_grants_permissions_that_exist(role: str) -> None:
    assert access.ROLES[role] <= set(access.PERMISSIONS)
    assert access.ROLES[role]


@pytest.mark.parametrize("role", ["", "root", "Admin", "admin ", "*"])
def test_an_unknown_role_grants_nothing(role: str) -> None:
    assert not any(access.allows(role, permission) for permission in access.PERMISSIONS)
    assert access.Principal.of("key:x", role).permissions == frozenset()


def test_an_unknown_permission_is_granted_to_nobody() -> None:
    assert not any(access.allows(role, "everything") for role in access.ROLES)


@pytest.mark.parametrize("role", sorted(set(access.ROLES) - {"admin"}))
def test_only_admin_makes_keys_and_chooses_controllers(role: str) -> None:
    assert not access.allows(role, "keys.admin")
    assert not access.allows(role, "controllers.override")


@pytest.mark.parametrize("role", ["approver", "readonly", "auditor"])
def test_who_reads_does_not_write(role: str) -> None:
    assert not access.allows(role, "events.write")
    assert not access.allows(role, "reload")
    assert access.allows(role, "runs.read")


def test_the_audit_is_read_by_those_it_is_for() -> None:
    assert {role for role in access.ROLES if access.allows(role, "audit.read")} == {"admin", "operator", "auditor"}
