"""An OpenSSH configuration file as it is written: its keywords, and the hosts that it speaks of. Callers: `ssh`, also without asyncssh.

asyncssh reads what it means. It passes over each keyword that it does not know, also a mistyped one, which OpenSSH refuses.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from healer import errors

HOSTS_MAX: Final = 20
_OF_MANUAL: Final = (
    "Host Match Include IgnoreUnknown AddKeysToAgent AddressFamily BatchMode BindAddress BindInterface CanonicalDomains"
    " CanonicalizeFallbackLocal CanonicalizeHostname CanonicalizeMaxDots CanonicalizePermittedCNAMEs CASignatureAlgorithms"
    " CertificateFile ChallengeResponseAuthentication ChannelTimeout CheckHostIP Ciphers ClearAllForwardings Compression"
    " ConnectionAttempts ConnectTimeout ControlMaster ControlPath ControlPersist DSAAuthentication DynamicForward"
    " EnableEscapeCommandline EnableSSHKeySign EscapeChar ExitOnForwardFailure FingerprintHash ForkAfterAuthentication"
    " ForwardAgent ForwardX11 ForwardX11Timeout ForwardX11Trusted GatewayPorts GlobalKnownHostsFile GSSAPIAuthentication"
    " GSSAPIClientIdentity GSSAPIDelegateCredentials GSSAPIKexAlgorithms GSSAPIKeyExchange GSSAPIRenewalForcesRekey"
    " GSSAPIServerIdentity GSSAPITrustDns HashKnownHosts HostbasedAcceptedAlgorithms HostbasedAuthentication HostbasedKeyTypes"
    " HostKeyAlgorithms HostKeyAlias HostName IdentitiesOnly IdentityAgent IdentityFile IPQoS KbdInteractiveAuthentication"
    " KbdInteractiveDevices KexAlgorithms KnownHostsCommand LocalCommand LocalForward LogLevel LogVerbose MACs"
    " NoHostAuthenticationForLocalhost NumberOfPasswordPrompts ObscureKeystrokeTiming PasswordAuthentication PermitLocalCommand"
    " PermitRemoteOpen PKCS11Provider Port PreferredAuthentications Protocol ProxyCommand ProxyJump ProxyUseFdpass"
    " PubkeyAcceptedAlgorithms PubkeyAcceptedKeyTypes PubkeyAuthentication RefuseConnection RekeyLimit RemoteCommand RemoteForward"
    " RequestTTY RequiredRSASize RevokedHostKeys RhostsRSAAuthentication RSAAuthentication SecurityKeyProvider SendEnv"
    " ServerAliveCountMax ServerAliveInterval SessionType SetEnv SmartcardDevice StdinNull StreamLocalBindMask"
    " StreamLocalBindUnlink StrictHostKeyChecking SyslogFacility Tag TCPKeepAlive Tunnel TunnelDevice UpdateHostKeys UseKeychain"
    " UsePrivilegedPort User UserKnownHostsFile VerifyHostKeyDNS VersionAddendum VisualHostKey WarnWeakCrypto XAuthLocation"
)
KEYWORDS: Final = tuple(_OF_MANUAL.split())
"""Of ssh_config(5), from OpenSSH 6 to 10, with those that only count for older ones."""

_KNOWN: Final = frozenset(word.lower() for word in KEYWORDS)
_LINE: Final = re.compile(r"(\s*)([^\s=#][^\s=]*)[ \t]*=?[ \t]*(.*)", re.DOTALL)


class Passed(NamedTuple):
    """A keyword that is none. `try_`: what may have been meant; '' where nothing is near."""

    line: int
    column: int
    word: str
    try_: str


def _lines(text: str) -> Iterator[tuple[int, int, str, str]]:
    """(line, column, keyword, the rest) of each that says something."""
    for number, line in enumerate(text.split("\n"), 1):
        if found := _LINE.fullmatch(line.rstrip()):
            yield number, len(found[1]) + 1, found[2].strip('"'), found[3]


def unknown(text: str) -> Iterator[Passed]:
    """The keywords that ssh_config(5) does not have, but for those of an `IgnoreUnknown` above them."""
    ignored: list[str] = []
    for number, column, word, rest in _lines(text):
        if word.lower() == "ignoreunknown":
            ignored += rest.strip('"').lower().split(",")
        elif word.lower() not in _KNOWN and not any(fnmatch.fnmatchcase(word.lower(), one) for one in ignored):
            yield Passed(number, column, word[:100], errors.nearest(word, KEYWORDS))


def hosts(text: str) -> list[str]:
    """A host for each of its first blocks, so that what stands in there is read too."""
    found: dict[str, None] = {}
    for _, _, word, rest in _lines(text):
        names = [one for one in re.split(r"[\s,]+", rest.replace('"', " ")) if one and not one.startswith("!")]
        if word.lower() == "host" and names:
            found[names[0].replace("*", "x").replace("?", "x")] = None
    return [*found][:HOSTS_MAX]
