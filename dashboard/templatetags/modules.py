"""The tag of the base template that loads scripts."""

from django import template
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from .. import static_files

register = template.Library()


@register.simple_tag
def module_script(name: str) -> SafeString:
    """A JavaScript module. All that it imports is asked for with it, and not only once it has come."""
    addresses = ((static(module),) for module in static_files.modules(name))
    preloads = format_html_join("", '<link rel="modulepreload" href="{}">', addresses)
    return preloads + format_html('<script type="module" src="{}"></script>', static(name))
