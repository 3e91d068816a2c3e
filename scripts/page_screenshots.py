"""Take the screenshots in docs/screenshots from a running service over data/sample.

semsearch serve &
python scripts/page_screenshots.py http://127.0.0.1:8765 docs/screenshots
"""

import shutil
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

QUESTION = "/?q=how+do+I+restore+a+backup%3F"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1100, "height": 820}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1100, "height": 820}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 780}},
}


def save(page: Any, path: Path) -> None:
    """As WebP without loss, of few colours: text stays sharp and the file small."""
    page.wait_for_timeout(400)
    image = Image.open(BytesIO(page.screenshot())).convert("RGB")
    image.quantize(128).convert("RGB").save(path, "WEBP", lossless=True, method=6)
    print(f"{path}: {path.stat().st_size:,} bytes")


def main() -> None:
    address, folder = sys.argv[1].rstrip("/"), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for look, options in LOOKS.items():
            page = browser.new_page(reduced_motion="reduce", **options)
            page.goto(f"{address}/{QUESTION.lstrip('/')}")
            page.wait_for_selector(".hit")
            save(page, folder / f"{look}-results.webp")
            page.click(".hit-link >> nth=0")
            page.wait_for_selector(".passage.current")
            save(page, folder / f"{look}-document.webp")
            if look == "light":
                page.goto(f"{address}/?view=status")
                page.wait_for_selector(".card")
                save(page, folder / "light-status.webp")
        browser.close()


if __name__ == "__main__":
    main()
