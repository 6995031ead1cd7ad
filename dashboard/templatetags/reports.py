"""What the drawings of reports need: numbers as SVG wants them, and as people read them."""

from __future__ import annotations

from django import template

from ..pages.report_parts import thousands

register = template.Library()
register.filter("thousands", thousands)


@register.filter
def plain(number: float) -> str:
    """With a point, whatever the language writes."""
    return str(number)
