from __future__ import annotations

import pytest
from django.db import transaction
from django.test import override_settings

from ..factory import make_call, make_client
from ..server import free_port
from .reading import text_of

pytestmark = pytest.mark.django_db


def test_a_process_that_answers_is_healthy() -> None:
    answer = make_client().get("/healthz")
    assert (answer.status_code, text_of(answer)) == (200, "ok")


def test_database_and_channel_layer_answer_when_all_is_well() -> None:
    answer = make_client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"database": True, "channel_layer": True})


def test_a_database_that_refuses_queries_is_named() -> None:
    transaction.set_rollback(True)  # from here on, this connection refuses
    answer = make_client().get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"database": False, "channel_layer": True})


def test_a_channel_layer_out_of_reach_is_named() -> None:
    nobody = f"redis://127.0.0.1:{free_port()}"
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    layers = {"default": {"BACKEND": backend, "CONFIG": {"hosts": [nobody]}}}
    with override_settings(CHANNEL_LAYERS=layers):
        answer = make_client().get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"database": True, "channel_layer": False})


def test_a_process_is_healthy_whatever_its_database_does() -> None:
    transaction.set_rollback(True)
    assert make_client().get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "ringdesk_callbacks",
        "ringdesk_callback_seconds",
        "ringdesk_notices",
        "ringdesk_calls",
        "ringdesk_reject_requests",
        "ringdesk_open_sockets",
    ],
)
def test_each_count_is_among_the_metrics(name: str) -> None:
    assert f"# HELP {name}" in text_of(make_client().get("/metrics"))


def test_metrics_show_nobodys_ids() -> None:
    call = make_call()
    metrics = text_of(make_client().get("/metrics"))
    assert call.account.wxid not in metrics
    assert call.contact.wxid not in metrics


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_no_health_check_is_kept_by_a_cache(path: str) -> None:
    assert "no-store" in make_client().get(path).headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_health_check_is_a_get(path: str) -> None:
    assert make_client().post(path).status_code == 405
