"""Find a Chromium for the browser tests, and install one where there is none: `python -m tests.browser.install`.

Debian's package as root, Playwright's own download elsewhere; where neither can be had, one line says what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

# The first without a window of its own: it draws the same, for a third of the work.
BROWSERS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
WITH_NOTIFICATIONS = BROWSERS[1:]  # the first has none
FONTS = "fonts-noto-cjk"  # so that Chinese shows
FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")


def chromium(names: Sequence[str] = BROWSERS) -> str | None:
    """The path of a Chromium: the system's, or the one that Playwright installed."""
    for name in names:
        if found := shutil.which(name):
            return found
    with sync_playwright() as playwright:
        downloaded = playwright.chromium.executable_path
    return downloaded if Path(downloaded).exists() else None


def install() -> None:
    """Try to."""
    if not _has_packages():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
        return
    _apt_get("update")
    _apt_get("install", FONTS)
    for package in BROWSERS[:2]:
        _apt_get("install", package)


def _has_packages() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _apt_get(*command: str) -> bool:
    return (
        subprocess.run(
            ["apt-get", *command, "--yes", "--no-install-recommends"],
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, stdout=subprocess.DEVNULL, check=False,
        ).returncode
        == 0
    )  # fmt: skip


def main() -> None:
    wanted = FONT.exists() and shutil.which(BROWSERS[0]) if _has_packages() else chromium()
    if wanted and chromium(WITH_NOTIFICATIONS):
        return
    print("Installing Chromium for the browser tests...", flush=True)
    install()
    if not chromium():
        sys.exit("The browser tests need Chromium, which could not be installed. On Debian: apt-get install chromium")


if __name__ == "__main__":
    main()
