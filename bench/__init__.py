"""Ringdesk beside bare code that does the same work, measured in one run. See docs/bench.md."""
