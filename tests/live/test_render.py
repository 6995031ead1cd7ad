"""What is drawn of calls that changed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from calls.live import render
from calls.live.render import Audience
from calls.models.call import RECENT
from calls.models.person import Sight

from ..factory import make_call

ALL = Audience(Sight(all=True), "en")

pytestmark = pytest.mark.django_db


def test_a_call_older_than_any_on_a_board_has_no_card() -> None:
    now = timezone.now()
    old = make_call(received_at=now - RECENT - timedelta(seconds=1))
    young = make_call(received_at=now - RECENT + timedelta(minutes=1))
    rendered = render.cards([old.pk, young.pk], [ALL])
    assert set(rendered.changes_at) == {young.pk}
    assert f"call-{young.pk}" in rendered.texts[ALL]
    assert f"call-{old.pk}" not in rendered.texts[ALL]


def test_of_old_calls_alone_nothing_is_sent() -> None:
    old = make_call(received_at=timezone.now() - timedelta(days=20))
    assert render.cards([old.pk], [ALL]).texts == {}
