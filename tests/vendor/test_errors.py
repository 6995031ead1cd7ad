"""The vendor's codes in words."""

from __future__ import annotations

import pytest

from calls.vendor.errors import EXPLANATIONS, TOKEN_CODES, UNKNOWN, explain, worth_retrying

pytestmark = pytest.mark.engineless

DOCUMENTED = ["101", "102", "103", "110", "111", "112", "113", "114", "405", "406", "407", "1001"]


@pytest.mark.parametrize("errcode", DOCUMENTED)
def test_every_documented_code_has_words_and_advice_of_its_own(errcode: str) -> None:
    explanation = explain(errcode)
    assert explanation != UNKNOWN
    assert str(explanation.text)
    assert str(explanation.advice)


def test_no_two_codes_are_explained_alike() -> None:
    texts = [str(explanation.text) for explanation in [*EXPLANATIONS.values(), UNKNOWN]]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("errcode", ["", "-1", "999", "0113", "nonsense"])
def test_a_code_that_is_not_documented_gets_a_general_text(errcode: str) -> None:
    assert explain(errcode) == UNKNOWN


@pytest.mark.parametrize("errcode", ["111", "407", "1001", "999"])
def test_what_may_pass_by_itself_is_worth_retrying(errcode: str) -> None:
    assert worth_retrying(errcode)


@pytest.mark.parametrize("errcode", ["101", "102", "103", "110", "112", "113", "114", "405", "406"])
def test_what_an_admin_has_to_put_right_is_not_worth_retrying(errcode: str) -> None:
    assert not worth_retrying(errcode)


def test_the_codes_that_call_for_a_new_token_are_the_documented_ones() -> None:
    assert {"110", "111", "112"} == TOKEN_CODES
