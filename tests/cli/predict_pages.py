"""Pages of predicted cases in headless Chromium: predict_pages.py PAGE.html...

Nothing is logged, nothing leaves a page, no name in it becomes code; all images are decoded and have a text; a page does
not scroll sideways at 1280 and 400 pixels, dark or light; heat maps can be hidden without a script; links lead to the
page that they name. Prints what is wrong and exits 1.
"""
import os
import sys

from browser import Browser

failures = []


def expect(condition, text):
    if not condition:
        failures.append(text)


def check_widths(browser, page):
    for width in (1280, 400):
        for scheme in ("light", "dark"):
            browser.resize(width, 900)
            browser.media(scheme=scheme)
            content, window = browser.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            expect(content <= window == width, f"{page}, {width} pixels, {scheme}: the page is {content} wide in {window}")
            light = browser.evaluate('getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] > 127')
            expect(light == (scheme == "light"), f"{page}, {width} pixels: the page is not {scheme}")


def check_images(browser, page):
    """Decodes each image on its own; the page's must be drawn in the size of their frames."""
    decoded = browser.evaluate("""Promise.all([...document.querySelectorAll("svg image")].map(async image => {
        const box = image.getBoundingClientRect(), frame = image.ownerSVGElement.getBoundingClientRect();
        const fits = box.width > 40 && Math.abs(box.width - frame.width) < 1 && Math.abs(box.height - frame.height) < 1;
        return fits && await image.decode().then(() => true, () => false);
    }))""")
    expect(decoded and all(decoded), f"{page}: images are not shown: {decoded}")
    labels = browser.evaluate('[...document.querySelectorAll("svg")].map(svg => svg.getAttribute("aria-label"))')
    expect(all(labels) and len(set(labels)) == len(labels), f"{page}: labels of images: {labels}")
    dangling = browser.evaluate("""[...document.querySelectorAll("use")].map(use => use.getAttribute("href"))
                                   .filter(name => !document.querySelector(name))""")
    expect(not dangling, f"{page}: nothing has the id {dangling}")


def opacity(browser):
    return browser.evaluate('[...new Set([...document.querySelectorAll(".heat")].map(h => getComputedStyle(h).opacity))]')


def check_choice(browser, page):
    expect(opacity(browser) == ["1"], f"{page}: heat maps have opacity {opacity(browser)}")
    for name, wanted in (("hidden", "0"), ("faint", "0.5"), ("full", "1")):
        browser.evaluate(f'document.getElementById("heat-{name}").click()')
        expect(opacity(browser) == [wanted], f"{page}: heat maps that are {name} have opacity {opacity(browser)}")


def check_page(browser, page):
    browser.open(page)
    check_widths(browser, page)
    state = browser.evaluate("""[document.scripts.length, typeof owned, document.images.length,
                                document.querySelectorAll("[onerror], iframe, object, link").length]""")
    expect(state == [0, "undefined", 0, 0], f"{page}: a name became code: {state}")
    if browser.evaluate('document.querySelector("svg") !== null'):
        check_images(browser, page)
        check_choice(browser, page)


def check_links(browser, page):
    """Follows each link to a file that is there."""
    for link in browser.evaluate('[...document.links].map(link => link.href)'):
        name = os.path.basename(link)
        expect(link.startswith("file://") and os.path.dirname(link[7:]) == os.getcwd(), f"{page}: a link to {link}")
        expect(page == "index.html" or os.path.exists(name), f"{page}: a link to {name}, which is not there")


def main():
    with Browser() as browser:
        for page in sys.argv[1:]:
            check_page(browser, page)
            check_links(browser, page)
        expect(not browser.messages, f"messages: {browser.messages[:3]}")
        outside = [url for url in browser.requests if not url.startswith(("data:", "file://"))]
        expect(len(browser.requests) >= len(sys.argv) - 1 and not outside, f"requests leave the pages: {outside[:3]}")
    for text in failures:
        print(text)
    sys.exit(bool(failures))


main()
