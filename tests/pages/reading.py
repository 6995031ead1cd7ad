"""Reading pages as the tests need them."""

from __future__ import annotations

import html
import re

from django.http import HttpResponse

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7|add:7 }}&amp;"
HARMLESS = html.escape(HOSTILE)


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def words_of(response: HttpResponse) -> str:
    """What a reader reads: without the tags, blanks made one."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text_of(response))).split())


def cards(response: HttpResponse) -> dict[int, str]:
    """The status of each card, by the call's id, in the order shown."""
    found = re.findall(r'<article id="call-(\d+)"[^>]* data-status="(\w+)"', text_of(response))
    return {int(pk): status for pk, status in found}


def rows(response: HttpResponse) -> list[int]:
    """The ids of the calls in a table of history, in the order shown."""
    return [int(pk) for pk in re.findall(r'<tr data-call="(\d+)"', text_of(response))]


def older(response: HttpResponse) -> str | None:
    """The query of the link to older calls."""
    found = re.search(r'<p class="next"><a [^>]*href="([^"]+)"', text_of(response))
    return html.unescape(found[1]) if found else None


def said(response: HttpResponse) -> list[str]:
    """The texts of messages and errors, tags and all that they hold."""
    return [html.unescape(text) for text in re.findall(r'<p class="said [^>]*role=[^>]*>(.*?)</p>', text_of(response))]
