"""What Ringdesk counts, in Prometheus' terms. Served at /metrics."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

CALLBACKS = Counter("ringdesk_callbacks", "Callbacks, by what became of them", ["result"])
CALLBACK_SECONDS = Histogram(
    "ringdesk_callback_seconds",
    "From the whole body received to the answer",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
NOTICES = Counter("ringdesk_notices", "Notices in callbacks, by type; chat messages leave no other trace", ["type"])
CALLS = Counter("ringdesk_calls", "Calls in callbacks: new, or pushed again", ["result"])
SPOOLED = Gauge("ringdesk_spooled_callbacks", "Callbacks on disk that wait for the database")
REJECTS = Counter("ringdesk_reject_requests", "Requests to the vendor to reject a call", ["result"])
SOCKETS = Gauge("ringdesk_open_sockets", "Pages with an open socket")


# With labels, as they are asked for with every callback: to look them up takes twice the time of counting.


@cache
def callbacks(result: str) -> Counter:
    return CALLBACKS.labels(str(result))


@cache
def notices(kind: str) -> Counter:
    return NOTICES.labels(kind)
