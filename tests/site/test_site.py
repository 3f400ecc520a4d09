"""The built site in headless Chromium: `make docs-test` builds it and says where it is.

Every page is opened at two widths. Nothing of it may be missing, point nowhere, complain, or stick out.
"""

import os
import shutil
import threading
from functools import cache, partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

if "FASTNN_SITE" not in os.environ:
    pytest.skip("make docs-test builds the site and opens it", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="needs the group browser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("needs Chromium: apt install chromium", allow_module_level=True)

SITE = Path(os.environ["FASTNN_SITE"]).resolve()
PAGES = sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html") if "_static" not in page.parts)
WORDS = ["adam", "checksum", "dropout", "earlystopping", "ensemble", "lbfgs", "onnx", "parquet", "quantile", "threads"]

LOADED = """async () => {
    const images = [...document.images];
    for (const image of images) image.loading = "eager";
    await Promise.all(images.map(image => image.decode().catch(() => null)));
    return images.filter(image => image.naturalWidth === 0).map(image => image.src);
}"""
STICKS_OUT = """() => {
    const page = document.documentElement;
    return page.scrollWidth > page.clientWidth ? page.scrollWidth : 0;
}"""
LINKS = "() => [...document.querySelectorAll('a[href]')].map(link => link.href)"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=[1400, 400])
def tab(browser, request):
    with browser.new_page(viewport={"width": request.param, "height": 900}) as page:
        page.complaints = []
        page.on("console", lambda said: page.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("response", lambda found: page.complaints.append(found.url) if found.status >= 400 else None)
        yield page


class Names(HTMLParser):
    """What a link may point to within a page."""

    def __init__(self, text):
        super().__init__()
        self.found = {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found |= {value for name, value in attributes if name == "id" or (tag == "a" and name == "name")}


@cache
def names(file):
    return Names(file.read_text(encoding="utf-8")).found if file.suffix == ".html" else {""}


def is_dead(link, address):
    """Whether a link of the site leads nowhere, page and place."""
    if not link.startswith(address):
        return False
    base, fragment = urldefrag(link)
    file = SITE / unquote(urlsplit(base).path).lstrip("/")
    file = file / "index.html" if file.is_dir() else file
    return not file.is_file() or unquote(fragment) not in names(file)


@pytest.mark.parametrize("page", PAGES)
def test_page_is_whole(tab, address, page):
    tab.complaints.clear()
    tab.goto(f"{address}/{page}", wait_until="load")
    assert tab.evaluate(LOADED) == []
    assert tab.complaints == []
    assert tab.evaluate(STICKS_OUT) == 0
    assert [link for link in tab.evaluate(LINKS) if is_dead(link, address)] == []


@pytest.mark.parametrize("word", WORDS)
def test_search_finds(tab, address, word):
    tab.goto(f"{address}/search.html?q={word}")
    tab.wait_for_selector("ul.search li a", timeout=20_000)


def test_search_finds_nothing_where_nothing_is(tab, address):
    tab.goto(f"{address}/search.html?q=zyzzyva")
    tab.wait_for_function("document.querySelector('#search-results').innerText.includes('did not match')")
    assert tab.query_selector("ul.search li a") is None
