"""CloudWatch's alarms: what their states mean, and which of a metric's dimensions names the machine. Used by `aws_eventbridge`, `aws_sns`.

Its alarms know no severity: their state stands for it. Names of dimensions:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/aws-services-cloudwatch-metrics.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from healer.formats import _part, _words

STATES: Final = {"ALARM": ("firing", "error"), "OK": ("resolved", "info"), "INSUFFICIENT_DATA": ("unknown", "unknown")}
"""State -> status, severity."""

DIMENSIONS: Final = (
    "InstanceId", "host", "Host", "HostName", "hostname", "instance", "ServerName", "DBInstanceIdentifier", "DBClusterIdentifier",
    "CacheNodeId", "CacheClusterId", "BrokerID", "TaskId", "ServiceName", "FunctionName", "StateMachineArn", "AutoScalingGroupName",
    "TargetGroup", "LoadBalancer", "LoadBalancerName", "VolumeId", "FileSystemId", "NatGatewayId", "VpnId", "DomainName", "StreamName",
    "QueueName", "TopicName", "TableName", "BucketName", "ClusterName", "ApiName",
)  # fmt: skip
"""The dimensions that name what may be healed, from the machine to what it is part of; the first that is there counts."""


def target(dimensions: Mapping[str, str], alarm: str) -> str:
    """What an alarm is about; of one over other metrics or alarms the alarm itself. Raises `errors.InvalidField`."""
    return _words.text("dimensions", _words.first(dimensions, DIMENSIONS)) or alarm


def listed(dimensions: Iterable[_part.Part]) -> dict[str, str]:
    """`[{"name": "InstanceId", "value": "i-1"}, …]` as an object; the first of a name counts."""
    found: dict[str, str] = {}
    for one in dimensions:
        name, value = one.line("name", "Name"), one.line("value", "Value")
        if name and value:
            found.setdefault(name, value)
    return found


def state(raw: str) -> dict[str, Any]:
    """The words of `event.alert` that a state gives."""
    status, severity = STATES.get(raw, ("event", "unknown"))
    return {"status": status, "severity": severity, "severity_raw": raw}
