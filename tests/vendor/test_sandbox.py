"""The sandbox keeps to the vendor's documents, and misbehaves only when asked to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, get_args

import pytest
import requests

from calls.vendor import sandbox as sandbox_module
from calls.vendor.envelope import Form, key_bytes, open_body
from calls.vendor.sandbox import FAULTS, FIRST_CONTACT, PEOPLE, Caller, Fault, Sandbox, call_notice

from ..factory import AES_KEY
from ..server import free_port

pytestmark = pytest.mark.engineless

REJECT = "/wechat/handleVoipCall"


def ask(vendor: Sandbox, path: str, /, **body: Any) -> requests.Response:
    return requests.post(vendor.url + path, json=body, timeout=10)


def ask_for_token(vendor: Sandbox, **changed: Any) -> dict[str, Any]:
    body = {"app_id": "sandbox-app", "app_secret": "sandbox-secret", "grand_type": "client_credentials"}
    answer: dict[str, Any] = ask(vendor, "/oauth/token", **body | changed).json()
    return answer


def token_of(vendor: Sandbox) -> str:
    return str(ask_for_token(vendor)["data"]["access_token"])


def reject_body(token: str) -> dict[str, Any]:
    return {
        "app_id": "sandbox-app",
        "access_token": token,
        "wxid": "1688851873049028",
        "chat_wxid": "7881302848173300",
        "voipid": 161288067,
        "type": 2,
        "action": "rejectVoiceCall",
    }


def ask_to_reject(vendor: Sandbox, **changed: Any) -> requests.Response:
    return ask(vendor, REJECT, **reject_body(token_of(vendor)) | changed)


@contextmanager
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """Where callbacks can be pushed to: its address, and the bodies that came."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing to log."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_token_comes_with_its_lifetime(sandbox: Sandbox) -> None:
    answer = ask_for_token(sandbox)
    assert answer["errcode"] == 0
    assert answer["data"] == {"access_token": sandbox.tokens[-1], "expires_in": 7200}


@pytest.mark.parametrize(("field", "errcode"), [("app_id", 101), ("app_secret", 102), ("grand_type", 103)])
def test_a_token_is_refused_for_a_wrong_value(sandbox: Sandbox, field: str, errcode: int) -> None:
    assert ask_for_token(sandbox, **{field: "wrong"})["errcode"] == errcode
    assert sandbox.tokens == []


def test_a_reject_with_a_valid_token_is_accepted_and_noted(sandbox: Sandbox) -> None:
    assert ask_to_reject(sandbox).json() == {"errcode": 0}
    assert sandbox.rejects == [reject_body(sandbox.tokens[-1])]


def test_a_reject_without_a_token_is_refused(sandbox: Sandbox) -> None:
    assert ask_to_reject(sandbox, access_token="").json()["errcode"] == 112


def test_a_new_token_ends_the_old_one(sandbox: Sandbox) -> None:
    old = token_of(sandbox)
    assert ask_to_reject(sandbox, access_token=old).json()["errcode"] == 110


@pytest.mark.parametrize(
    "changed",
    [{"wxid": None}, {"chat_wxid": 7}, {"voipid": None}, {"voipid": 1.5}, {"type": "2"}, {"type": 3}, {"action": "answer"}],
)
def test_a_reject_with_wrong_parameters_is_refused(sandbox: Sandbox, changed: dict[str, Any]) -> None:
    assert ask_to_reject(sandbox, **changed).json()["errcode"] == 406


def test_accounts_are_listed_for_a_valid_token_only(sandbox: Sandbox) -> None:
    asked = {
        token: requests.get(f"{sandbox.url}/wechat/list?access_token={token}", timeout=10).json()
        for token in ("x", token_of(sandbox))
    }
    assert [answer["errcode"] for answer in asked.values()] == [110, 0]


def detail(vendor: Sandbox, **query: str) -> dict[str, Any]:
    answer: dict[str, Any] = requests.get(f"{vendor.url}/wechat/contactDetail", params=query, timeout=10).json()
    return answer


def test_contacts_are_told_of_for_a_valid_token_and_a_whole_question_only(sandbox: Sandbox) -> None:
    token, wxid = token_of(sandbox), "7881300000000001"
    assert detail(sandbox, access_token="x", rel_wxid="1", wxid=wxid)["errcode"] == 110
    assert detail(sandbox, access_token=token, wxid=wxid)["errcode"] == 406
    assert detail(sandbox, access_token=token, rel_wxid="1", wxid="R:1")["errcode"] == 406
    answer = detail(sandbox, access_token=token, rel_wxid="1", wxid=wxid)
    assert answer["data"]["nickname"] == PEOPLE[1]
    assert [query.get("wxid") for query in sandbox.details] == [wxid, wxid, "R:1", wxid]


def test_everybody_has_a_name_and_most_have_a_picture(sandbox: Sandbox) -> None:
    token = token_of(sandbox)
    wxids = [str(FIRST_CONTACT + who) for who in range(len(PEOPLE))]
    told = [detail(sandbox, access_token=token, rel_wxid="1", wxid=wxid)["data"] for wxid in wxids]
    assert all(one["nickname"] for one in told)
    assert {bool(one["avatar"]) for one in told} == {True, False}
    picture = requests.get(next(one["avatar"] for one in told if one["avatar"]), timeout=10)
    assert (picture.headers["Content-Type"], picture.content[:4]) == ("image/png", b"\x89PNG")


def test_a_question_about_a_contact_can_be_met_with_a_fault(sandbox: Sandbox) -> None:
    token = token_of(sandbox)
    sandbox.misbehave("/wechat/contactDetail", "limit")
    codes = [detail(sandbox, access_token=token, rel_wxid="1", wxid="7881")["errcode"] for _ in range(2)]
    assert codes == [407, 0]


def test_the_vendor_s_addresses_are_listed(sandbox: Sandbox) -> None:
    assert requests.get(f"{sandbox.url}/index/serverIpList", timeout=10).json() == {"errcode": 0, "data": ["127.0.0.1"]}


def test_an_unknown_interface_is_refused(sandbox: Sandbox) -> None:
    assert ask(sandbox, "/nothing/here").json()["errcode"] == 405


def test_a_body_that_is_no_json_is_refused_like_an_empty_one(sandbox: Sandbox) -> None:
    assert requests.post(sandbox.url + REJECT, data=b"{", timeout=10).json()["errcode"] == 112


@pytest.mark.parametrize(
    ("fault", "errcode"),
    [("refused", 1001), ("limit", 407), ("not-allowed", 113), ("token-expired", 111), ("token-expired-always", 111)],
)
def test_a_fault_refuses_a_reject_that_is_right(sandbox: Sandbox, fault: Fault, errcode: int) -> None:
    sandbox.misbehave(REJECT, fault)
    assert ask_to_reject(sandbox).json()["errcode"] == errcode


def test_an_expired_token_is_void_from_then_on(sandbox: Sandbox) -> None:
    token = token_of(sandbox)
    sandbox.misbehave(REJECT, "token-expired")
    codes = [ask(sandbox, REJECT, **reject_body(token)).json()["errcode"] for _ in range(2)]
    assert codes == [111, 110]


def test_a_broken_answer_is_no_json(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "broken")
    answer = ask_to_reject(sandbox)
    assert (answer.status_code, answer.text) == (200, '{errcode":0}')


def test_a_server_error_is_a_page_of_html(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "server-error")
    answer = ask_to_reject(sandbox)
    assert answer.status_code == 502
    assert answer.text.startswith("<html>")


def test_a_lost_connection_gives_no_answer_to_a_request_that_arrived(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "lost")
    with pytest.raises(requests.ConnectionError):
        ask_to_reject(sandbox)
    assert len(sandbox.rejects) == 1


def test_an_answer_that_is_cut_off_ends_early(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "cut-off")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask_to_reject(sandbox)
    assert len(sandbox.rejects) == 1


def test_garbage_is_no_http(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "garbage")
    with pytest.raises(requests.ConnectionError):
        ask_to_reject(sandbox)
    assert len(sandbox.rejects) == 1


@pytest.mark.parametrize("fault", ["slow", "hang"])
def test_a_late_answer_is_right(sandbox: Sandbox, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sandbox_module.DELAYS, fault, 0.2)
    sandbox.misbehave(REJECT, fault)
    started = time.monotonic()
    assert ask_to_reject(sandbox).json() == {"errcode": 0}
    assert time.monotonic() - started >= 0.2


def test_faults_are_met_once_each_and_in_order(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "refused", "limit")
    assert [ask_to_reject(sandbox).json()["errcode"] for _ in range(3)] == [1001, 407, 0]


def test_a_fault_can_stay_until_the_sandbox_is_told_to_behave(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "limit", always=True)
    assert [ask_to_reject(sandbox).json()["errcode"] for _ in range(3)] == [407, 407, 407]
    sandbox.behave()
    assert ask_to_reject(sandbox).json()["errcode"] == 0


def test_a_fault_of_one_interface_leaves_the_others_alone(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "server-error", always=True)
    assert ask_for_token(sandbox)["errcode"] == 0


def test_faults_can_be_asked_for_over_http(sandbox: Sandbox) -> None:
    said = ask(sandbox, "/sandbox/faults", path=REJECT, faults=["limit", "no such fault"])
    assert said.json() == {"errcode": 0, "faults": ["limit"]}
    assert ask_to_reject(sandbox).json()["errcode"] == 407


def test_good_behaviour_can_be_asked_for_over_http(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "limit", always=True)
    ask(sandbox, "/sandbox/faults", faults=[])
    assert ask_to_reject(sandbox).json()["errcode"] == 0


def test_every_fault_has_a_name_that_commands_can_offer() -> None:
    assert set(FAULTS) == set(get_args(Fault))


def test_a_sandbox_that_stops_hangs_up() -> None:
    with requests.Session() as kept_open:
        with Sandbox() as vendor:
            kept_open.get(f"{vendor.url}/index/serverIpList", timeout=10)
        with pytest.raises(requests.ConnectionError):
            kept_open.get(f"{vendor.url}/index/serverIpList", timeout=10)


def test_a_port_in_use_is_reported(sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match="in use"):
        Sandbox(port=sandbox.port).start()


@pytest.mark.parametrize("form", get_args(Form))
def test_the_caller_pushes_what_the_envelope_opens(form: Form) -> None:
    notices = [call_notice("1688851873049028", "7881302848173300", 5)]
    with receiver() as (address, bodies):
        Caller(address, AES_KEY, repeats=0, form=form).push(notices)
    assert [open_body(body, key_bytes(AES_KEY), allow_plain=form == "plain") for body in bodies] == [notices]


def test_the_caller_pushes_twice_when_asked_to_repeat() -> None:
    with receiver() as (address, bodies):
        Caller(address, AES_KEY, repeats=1).push([call_notice("1", "2", 3)])
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]


def test_the_caller_makes_up_one_call_among_chat_messages() -> None:
    types = [notice["type"] for notice in Caller("http://127.0.0.1:1/", AES_KEY, chats_per_call=3).notices()]
    assert types.count("voiceVideoCall") == 1
    assert set(types) <= {"voiceVideoCall", "chatMsg "}


def test_the_caller_calls_until_its_time_is_up() -> None:
    with receiver() as (address, bodies):
        Caller(address, AES_KEY, calls_per_minute=6000).run(seconds=0.3)
    assert len(bodies) > 1


def test_the_caller_goes_on_when_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    Caller(f"http://127.0.0.1:{free_port()}/", AES_KEY, repeats=0).push([])
    assert capsys.readouterr().out == "callback not delivered: ConnectionError\n"


def test_the_caller_refuses_what_is_no_key() -> None:
    with pytest.raises(ValueError, match="43 characters, or 32"):
        Caller("http://127.0.0.1:1/", "short")
