"""The environment Ray Serve is started with, which its processes inherit."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from raylm_apps.deploy.balance import consistent_hash

SIDE_PORTS = 3
DRAIN_S = 1  # a stopping replica stays reachable for as long, while HAProxy learns of it
HAPROXY_THREADS = 2
LONGEST_STREAM_S = 3600  # HAProxy's old process, after a change of replicas, ends its streams
# Who asks, for the gateway's limits. Serve lets us add lines to HAProxy's defaults in one place.
TELL_CLIENT = "\n    option forwardfor"
RETRIES = 3  # one may meet the dead replica again; no more, for what kills one may kill the next
REPLAYED_BYTES = 128 * 2**10  # of a request that a replica's death sends to another one


def serve_environment(folder: Path, side_ports: Sequence[int]) -> dict[str, str]:
    """HAProxy as the ingress, its files in `folder`, on side ports of its own.

    With Serve's fixed side ports one machine could run only one stack. Replicas answer HTTP
    in their main event loop, for nothing of ours blocks it: one thread hop less per token.
    """
    stats, metrics, fallback = map(str, side_ports)
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": stats,
        "RAY_SERVE_HAPROXY_METRICS_PORT": metrics,
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_NBTHREAD": str(HAPROXY_THREADS),
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": str(LONGEST_STREAM_S),
        "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": str(REPLAYED_BYTES),
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
        "RAY_SERVE_HAPROXY_RETRIES": str(RETRIES),
        "RAY_SERVE_HAPROXY_OBSERVE_ERROR_LIMIT": "1",
        "RAY_SERVE_HAPROXY_BALANCE_ALGORITHM": consistent_hash() + TELL_CLIENT,
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": fallback,
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(DRAIN_S),
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
        "RAY_SERVE_LOG_TO_STDERR": "0",
    }


RAY_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


@contextmanager
def applied(variables: Mapping[str, str], defaults: Mapping[str, str]) -> Iterator[None]:
    """Set `variables`, and `defaults` where the user has not chosen, for the length of a block."""
    changed = {**{k: v for k, v in defaults.items() if k not in os.environ}, **variables}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
