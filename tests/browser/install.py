"""Find a Chromium for the browser tests, and install one where there is none: `python -m tests.browser.install`.

Debian's package as root, Playwright's own download elsewhere; where neither can be had, one line says what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PACKAGES = ["chromium", "fonts-noto-cjk"]  # the fonts, so that Chinese shows
CJK_FONTS = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")


def chromium() -> str | None:
    """The path of a Chromium: the system's, or the one that Playwright installed."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    with sync_playwright() as playwright:
        downloaded = playwright.chromium.executable_path
    return downloaded if Path(downloaded).exists() else None


def install() -> bool:
    """Install one; whether that worked."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        commands = [["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]]
        return all(
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode == 0
            for command in commands
        )
    return subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False).returncode == 0


def main() -> None:
    debian_lacks_fonts = os.geteuid() == 0 and shutil.which("apt-get") and not CJK_FONTS.exists()
    if chromium() and not debian_lacks_fonts:
        return
    print("Installing Chromium for the browser tests...", flush=True)
    if not install() or not chromium():
        sys.exit("The browser tests need Chromium, which could not be installed. On Debian: apt-get install chromium")


if __name__ == "__main__":
    main()
