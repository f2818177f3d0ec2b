"""The page as a browser shows it: number by number, in light and in dark, and on a small screen."""

import json
from decimal import Decimal

import pytest

from altcraft_balance.refresh.report.page import report_page
from tests.refresh.browser import Browser, chromium
from tests.refresh.summaries import a_night, begun, failed, found, second, summary_of

pytestmark = [
    pytest.mark.server,
    pytest.mark.may_block("it makes the page between two looks at it"),
]

FIGURES = """
[...document.querySelectorAll('[data-figure]')].map(
    each => [each.dataset.figure, each.getAttribute('value'), each.textContent])
"""
#: The least contrast of any text with what is behind it, and how light that is.
CONTRASTS = """
(() => {
  const rgba = text => [...text.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
  const light = ([r, g, b]) => [r, g, b].map(x => x / 255)
    .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = each => {
    for (; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] > 0) return light(colour);
    }
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const each = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || ['title', 'desc'].includes(each.tagName)) continue;
    const style = getComputedStyle(each), svg = each.closest('svg');
    const [one, two] = [light(rgba(svg ? style.fill : style.color)), behind(each)];
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    found.push([ratio, two, each.textContent.slice(0, 40), Boolean(svg)]);
  }
  return found.sort((a, b) => a[0] - b[0]);
})()
"""
#: Letters of a chart that lie outside of it.
CUT = """
[...document.querySelectorAll('svg text')].filter(each => {
  const [box, all] = [each.getBoundingClientRect(), each.closest('svg').getBoundingClientRect()];
  return box.left < all.left - 1 || box.right > all.right + 1
    || box.top < all.top - 1 || box.bottom > all.bottom + 1;
}).map(each => each.textContent)
"""
HOSTILE = (
    "<script>window.hacked = 1</script>",
    "\"'><img src=x onerror='window.hacked=1'>",
    "</data></td></table><style>*{display:none}</style>&lt;b&gt;",
    "\x00\x07\x1b[31m \u202egnp.exe \u2066\ud800",
    "]]><svg onload=window.hacked=1><!--",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if chromium() is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium fonts-dejavu-core)")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def written(tmp_path):
    """The page of a summary, as a file."""

    def written(summary):
        path = tmp_path / "report.html"
        path.write_text(report_page(summary), encoding="utf-8")
        return path

    return written


def leaves(value, path=""):
    """Every single value of a summary, with its path."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, below in items:
            if path == "settings" and isinstance(below, list | dict):
                yield f"settings.{name}", json.dumps(below)
            else:
                yield from leaves(below, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def said(value):
    if value is None:
        return ""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def assert_shows(value, shown):
    """What people read is the same number, with as many digits as they read."""
    number = Decimal(shown.replace(",", ""))
    if isinstance(value, float):
        assert abs(float(number) - value) <= max(0.0006, abs(value) * 0.006), (value, shown)
    else:
        assert number == Decimal(value)


async def test_it_says_what_the_summary_says(browser, written):
    """Number by number, read back from the DOM, and nothing else; and asks nobody for anything."""
    summary = a_night()
    path = written(summary)
    async with browser.page() as page:
        await page.open(path)
        figures = await page.value(FIGURES)
    assert (page.told, page.asked) == ([], [path.as_uri()])
    truth = dict(leaves(summary.as_dict()))
    assert len(truth) > 700
    assert {name for name, _, _ in figures} == set(truth)
    for name, exact, shown in figures:
        assert exact == said(truth[name]), name
        if isinstance(truth[name], int | float) and not isinstance(truth[name], bool):
            if name != "p50_s" or not shown.endswith("ms"):
                assert_shows(truth[name], shown)
        elif name.endswith((".sum", ".min", ".max")):
            assert_shows(truth[name], shown)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_can_be_read_in_light_and_in_dark(browser, written, scheme):
    """Every letter stands out against what is behind it, charts included."""
    async with browser.page() as page:
        await page.open(written(a_night()), scheme=scheme)
        await page.value("document.querySelectorAll('details').forEach(each => each.open = true)")
        contrasts = await page.value(CONTRASTS)
        assert await page.value(CUT) == []
    assert len(contrasts) > 500
    assert sum(is_chart for *_, is_chart in contrasts) > 40
    assert contrasts[0][0] >= 4.5, contrasts[0]
    lightness = [behind for _, behind, _, _ in contrasts]
    assert min(lightness) > 0.9 if scheme == "light" else max(lightness) < 0.03


@pytest.mark.parametrize("width", [400, 1200])
async def test_nothing_is_wider_than_the_screen(browser, written, width):
    """A phone's too, also when a name is long."""
    tally = begun()
    for _ in range(30):
        second(tally, rows=10**3)
    tally.add([failed("x" * 500, kind="k" * 200)])
    tally.add([found("9" * 60, currency="c" * 300)])
    summary = summary_of(tally, run_id="r" * 64, source="/" + "s" * 300, reason="because" * 40)
    async with browser.page() as page:
        await page.open(written(summary), width=width)
        await page.value("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert await page.value("document.documentElement.scrollWidth") <= width
        assert await page.value(CUT) == []


async def test_what_others_wrote_is_text(browser, written):
    """Tags, quotes, control characters and marks of direction are shown, and do nothing."""
    tally = begun()
    for number, text in enumerate(HOSTILE):
        second(tally, answer=failed(text, kind=f"{text}{number}", code=number))
        second(tally, answer=found("1", currency=text), lost_s={text: 0.5})
    settings = dict.fromkeys(HOSTILE, HOSTILE)
    names = {"run_id": HOSTILE[0], "source": HOSTILE[1], "output": HOSTILE[2]}
    path = written(summary_of(tally, **names, reason=HOSTILE[3], settings=settings))
    async with browser.page() as page:
        await page.open(path)
        assert await page.value("typeof window.hacked") == "undefined"
        assert await page.value("document.querySelectorAll('script, img, [onload]').length") == 0
        assert await page.value("document.querySelectorAll('style').length") == 1
        assert await page.value("getComputedStyle(document.querySelector('h1')).display") == "block"
        text = await page.value("document.body.textContent")
    assert (page.told, page.asked) == ([], [path.as_uri()])
    assert HOSTILE[0] in text
    assert not set(text) & set("\x00\x07\x1b\u202e\u2066")
