"""Texts as sets of the short pieces that they contain, so that an index can tell which may contain another text.

Chinese names have two characters, so pieces of one and two count as well as those of three. Only one or two digits are left
out: nearly every number has them, so an index of them would be large and of no help.
"""

from __future__ import annotations

LENGTH = 3  # characters of the longest piece


def pieces_of(text: str) -> set[str]:
    """All that the index holds of a text, in one case."""
    text = text.casefold()
    pieces = {text[at : at + LENGTH] for at in range(len(text) - LENGTH + 1)}
    if _is_number(text):
        return pieces
    for length in range(1, LENGTH):
        pieces |= {text[at : at + length] for at in range(len(text) - length + 1)}
    return {piece for piece in pieces if len(piece) == LENGTH or not _is_number(piece)}


def pieces_in_all_with(text: str) -> set[str]:
    """Pieces that every text that contains this one has; none where the index can't tell."""
    text = text.casefold()
    if len(text) < LENGTH:
        return {text} if text and not _is_number(text) else set()
    return {text[at : at + LENGTH] for at in range(len(text) - LENGTH + 1)}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
