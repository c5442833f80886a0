#!/usr/bin/env python3
"""Asks a service over HTTP how it is: an action that changes nothing. Parameters: see check_health.meta.yml.

Without `url` the service of a demonstration host is asked (inventory/demo.yml): its port lies in DATA_DIR/hosts/<target>/services/.
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request

ANSWER_BYTES_MAX = 64 << 10


def address(parameters: dict[str, str]) -> str:
    """Where to ask. Scripts run in DATA_DIR/revisions/ID. Raises ValueError where the service never ran."""
    if "url" in parameters:
        return parameters["url"]
    service = pathlib.Path.cwd().parents[1] / "hosts" / os.environ["HEALER_TARGET"] / "services" / parameters["service"]
    try:
        return f"http://127.0.0.1:{int((service / 'port').read_text())}/health"
    except FileNotFoundError:
        raise ValueError(f"the service {parameters['service']} was never started") from None


def ask(url: str, timeout_s: float) -> tuple[int, str]:
    """Status and beginning of the answer. Raises OSError when there is none. No proxy: it would answer in its own name."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=timeout_s) as answer:
            return answer.status, answer.read(ANSWER_BYTES_MAX).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.reason


def main() -> int:
    """Exit 0: healthy. The last line is the result, as JSON."""
    parameters = json.load(sys.stdin)
    if os.environ.get("HEALER_DRY_RUN") == "1":
        print("asking changes nothing, so a dry run asks as well")
    begun = time.monotonic()
    try:
        status, said = ask(address(parameters), parameters["timeout_s"])
    except (OSError, ValueError, http.client.HTTPException) as error:
        status, said = 0, str(error) or type(error).__name__
    healthy = 200 <= status < 300
    print(f"{os.environ.get('HEALER_TARGET', '')}: {said.strip()[:200]}", file=sys.stdout if healthy else sys.stderr)
    print(json.dumps({"healthy": healthy, "status": status, "ms": round((time.monotonic() - begun) * 1000)}))
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
