"""The page of cmus-report in headless Chromium: report_page.py REPORT.html [--images] [--hostile]

Nothing is logged and nothing leaves the page; sorting and filtering work by mouse and by keys; every figure is drawn;
the page does not scroll sideways at 1280 and 400 pixels, dark or light; without JavaScript it is a plain table.
--images: thumbnails are there. --hostile: the page is full of names like <script>, which must be shown as text.
Prints what is wrong and exits 1.
"""
import argparse
import sys

from browser import Browser

failures = []

# The rows that are shown, as lists of texts; the columns by the name of their head.
ROWS = """[...document.querySelectorAll(".cases tbody tr")].filter(row => row.offsetParent !== null)
          .map(row => [...row.cells].map(cell => cell.textContent))"""
HEADS = '[...document.querySelectorAll(".cases thead th")].map(head => head.textContent)'
WIDTH = "[document.documentElement.scrollWidth, window.innerWidth]"


def expect(condition, text):
    if not condition:
        failures.append(text)


def button(name):
    return f'[...document.querySelectorAll(".cases th button")].find(one => one.textContent === "{name}")'


def choose(browser, filter_name, value):
    """Fills in a filter as a user does, with the event that follows."""
    browser.evaluate(f"""(() => {{
        const field = document.querySelector('.filter [data-filter="{filter_name}"]');
        field.value = {value!r};
        field.dispatchEvent(new Event("input", {{ bubbles: true }}));
    }})()""")


def check_sorting(browser):
    heads, before = browser.evaluate(HEADS), browser.evaluate(ROWS)
    column = heads.index("Confidence")
    browser.evaluate(button("Confidence") + ".click()")
    rising = [float(row[column]) for row in browser.evaluate(ROWS)]
    expect(rising == sorted(rising) and len(rising) == len(before), "a click does not sort by confidence")
    state = browser.evaluate(button("Confidence") + '.parentNode.getAttribute("aria-sort")')
    expect(state == "ascending", f"aria-sort is {state}")
    browser.evaluate(button("Confidence") + ".focus()")
    browser.key("Enter", 13, "\r")
    falling = [float(row[column]) for row in browser.evaluate(ROWS)]
    expect(falling == sorted(falling, reverse=True), "the Enter key does not sort the other way")
    browser.key(" ", 32, " ")
    expect(browser.evaluate(ROWS) == before, "the third time does not bring back the first order")
    browser.evaluate(button("Predicted") + ".click()")
    column = heads.index("Predicted")
    names = [row[column] for row in browser.evaluate(ROWS)]
    expect(len(set(names)) > 1 and sum(a != b for a, b in zip(names, names[1:])) == len(set(names)) - 1,
           "texts are not sorted")
    for _ in range(2):
        browser.evaluate(button("Predicted") + ".click()")


def check_first_order(browser):
    heads, rows = browser.evaluate(HEADS), browser.evaluate(ROWS)
    wrong = [row[heads.index("True")] != row[heads.index("Predicted")] for row in rows]
    expect(any(wrong) and not all(wrong) and wrong == sorted(wrong, reverse=True), "wrong cases are not first")
    return sum(wrong), len(rows)


def check_filtering(browser):
    heads = browser.evaluate(HEADS)
    label, predicted = heads.index("True"), heads.index("Predicted")
    wrong, count = check_first_order(browser)
    choose(browser, "wrong", "1")
    rows = browser.evaluate(ROWS)
    expect(len(rows) == wrong and all(row[label] != row[predicted] for row in rows), "the filter for wrong cases")
    choose(browser, "wrong", "0")
    expect(len(browser.evaluate(ROWS)) == count - wrong, "the filter for right cases")
    choose(browser, "wrong", "")
    options = browser.evaluate('[...document.querySelectorAll(\'[data-filter="true"] option\')].map(o => o.textContent)')
    for index, name in enumerate(options[1:]):
        choose(browser, "true", str(index))
        rows = browser.evaluate(ROWS)
        expect(rows and all(row[label] == name for row in rows), f"the filter for class {name}")
    said = browser.evaluate('document.querySelector(".filter output").textContent')
    expect(said == f"{len(rows)} of {count} shown", f"the filter says '{said}'")
    choose(browser, "true", "")
    wanted = browser.evaluate(ROWS)[-1][0]
    browser.evaluate('document.querySelector(\'[data-filter="text"]\').focus()')
    browser.call("Input.insertText", text=wanted)  # as typed
    expect([row[0] for row in browser.evaluate(ROWS)] == [wanted], "the filter by text")
    choose(browser, "text", "")
    expect(len(browser.evaluate(ROWS)) == count, "an empty filter hides cases")


def check_figures(browser):
    sizes = browser.evaluate("""[...document.querySelectorAll("figure svg")].map(svg => {
        const box = svg.getBBox(), shown = svg.getBoundingClientRect();
        return [svg.getAttribute("aria-label"), box.width, box.height, shown.width, shown.height,
                svg.querySelectorAll("path, polygon, polyline, rect, circle, use").length,
                svg.querySelectorAll("text").length];
    })""")
    expect(len(sizes) >= 4, f"{len(sizes)} figures")
    for name, *numbers, marks, texts in sizes:
        expect(min(numbers) > 100 and marks >= 5 and texts >= 5, f"figure '{name}' is not drawn: {numbers}, {marks}, {texts}")


def check_images(browser, wanted):
    sizes = browser.evaluate('[...document.querySelectorAll(".case img")].map(i => [i.complete, i.naturalWidth, i.width, i.alt])')
    expect(bool(sizes) == wanted, f"{len(sizes)} thumbnails")
    for complete, natural, width, alt in sizes:
        expect(complete and natural == width >= 32 and alt, f"the image '{alt}' is not shown: {natural} of {width} pixels")


def check_widths(browser):
    for width in (1280, 400):
        for scheme in ("light", "dark"):
            browser.resize(width, 900)
            browser.media(scheme=scheme)
            browser.evaluate('document.querySelectorAll("details").forEach(one => one.open = true)')
            content, window = browser.evaluate(WIDTH)
            expect(content <= window == width, f"{width} pixels, {scheme}: the page is {content} wide in {window}")
            light = browser.evaluate('getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] > 127')
            expect(light == (scheme == "light"), f"{width} pixels: the page is not {scheme}")


def check_print(browser, wrong):
    browser.media(media="print")
    rows, shown = len(browser.evaluate(ROWS)), browser.evaluate('getComputedStyle(document.querySelector(".filter")).display')
    expect(rows == wrong and shown == "none", f"on paper: {rows} cases of {wrong} wrong ones, filter {shown}")
    browser.media()


def check_hostile(browser):
    texts = browser.evaluate('document.querySelector(".cases tbody").textContent')
    expect("<script>" in texts, "the hostile id is not shown as text")
    state = browser.evaluate('[document.scripts.length, typeof owned, document.querySelectorAll("main script, main iframe, main [onerror]").length]')
    expect(state == [1, "undefined", 0], f"a name became code: {state}")


def check_page(browser, options):
    browser.open(options.page)
    wrong, count = check_first_order(browser)
    if browser.evaluate('document.querySelector(".filter").hidden'):
        failures.append(f"the script does not run: {browser.messages[:3]}")
        return count
    check_sorting(browser)
    check_filtering(browser)
    check_widths(browser)
    check_figures(browser)
    check_images(browser, options.images)
    check_print(browser, wrong)
    if options.hostile:
        check_hostile(browser)
    expect(not browser.messages, f"the page logs: {browser.messages[:3]}")
    outside = [url for url in browser.requests[1:] if not url.startswith("data:")]
    expect(len(browser.requests) >= 1 and not outside, f"requests leave the page: {outside[:3]}")
    return count


def check_plain(browser, options, count):
    browser.script(False)
    browser.open(options.page)
    expect(len(browser.evaluate(ROWS)) == count, "without JavaScript cases are missing")
    expect(browser.evaluate('document.querySelector(".filter").offsetParent === null'), "without JavaScript there is a filter")
    expect(browser.evaluate('document.querySelectorAll(".cases button").length') == 0, "without JavaScript there are buttons")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page")
    parser.add_argument("--images", action="store_true")
    parser.add_argument("--hostile", action="store_true")
    options = parser.parse_args()
    with Browser() as browser:
        count = check_page(browser, options)
        check_plain(browser, options, count)
    for text in failures:
        print(text)
    sys.exit(bool(failures))


main()
