// What a person would check in the report's page, done by the page itself: posts {failures, figures} to the window around it.
// The test puts this behind the page's own script, and `expected` before it: {dark, versions, samples}.

const failures = [];
const check = (isFine, what) => { if (!isFine) failures.push(what); };
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const isShown = (node) => node.checkVisibility() && node.getClientRects().length > 0;
const named = (node) => `<${node.localName} class="${node.getAttribute('class') ?? ''}"> ${node.textContent.trim().slice(0, 40)}`;

// ---- Contrast --------------------------------------------------------------------------------------------------------

/** [red, green, blue, alpha], each from 0 to 1. */
function colorOf(value) {
  const numbers = value.match(/-?[\d.]+(?:e-?\d+)?/g).map(Number);
  if (value.startsWith('color(')) return [...numbers.slice(0, 3), numbers[3] ?? 1];
  return [numbers[0] / 255, numbers[1] / 255, numbers[2] / 255, numbers[3] ?? 1];
}
const over = (front, back) => [0, 1, 2].map((i) => front[i] * front[3] + back[i] * (1 - front[3])).concat(1);
function backgroundOf(node) {
  const colors = [];
  for (let at = node; at; at = at.parentElement) colors.push(colorOf(getComputedStyle(at).backgroundColor));
  return colors.reverse().reduce((back, front) => over(front, back), [1, 1, 1, 1]);
}
function luminance(color) {
  const [r, g, b] = color.slice(0, 3).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(node) {
  const back = backgroundOf(node);
  const style = getComputedStyle(node);
  const [a, b] = [luminance(over(colorOf(node.ownerSVGElement ? style.fill : style.color), back)), luminance(back)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
function checkContrast() {
  const own = (node) => [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
  for (const node of all('body *')) {
    if (!own(node) || !isShown(node) || node.closest('script, style, title, [aria-disabled="true"], .sr')) continue;
    const ratio = contrast(node);
    check(ratio >= 4.5, `contrast ${ratio.toFixed(2)} of ${named(node)}`);
  }
}

// ---- Structure -------------------------------------------------------------------------------------------------------

function checkStructure() {
  const isDark = luminance(colorOf(getComputedStyle(document.body).backgroundColor)) < 0.2;
  check(isDark === expected.dark, `dark is ${isDark}`);
  check(document.querySelectorAll('h1').length === 1, 'one h1');
  let level = 0;
  for (const heading of all('h1, h2, h3, h4').filter(isShown)) {
    const next = Number(heading.localName[1]);
    check(next <= level + 1, `heading ${named(heading)} skips a level`);
    level = next;
  }
  for (const table of all('table')) check(table.caption?.textContent.trim(), `a caption for ${named(table)}`);
  for (const image of all('svg[role="img"], [role="img"]')) check(image.getAttribute('aria-label'), `a label for ${named(image)}`);
  for (const field of all('select, input')) check(field.labels.length > 0 || field.getAttribute('aria-label'), `a label for ${named(field)}`);
  for (const button of all('button')) check(button.textContent.trim() || button.getAttribute('aria-label'), `a name for ${named(button)}`);
  for (const node of all('[tabindex]')) check(node.tabIndex <= 0, `no order of its own for ${named(node)}`);
  const ids = all('[id]').map((node) => node.id);
  check(new Set(ids).size === ids.length, 'each id once');
  for (const link of all('a')) check(document.getElementById(link.getAttribute('href').slice(1)), `a target for ${named(link)}`);
  for (const node of all('[aria-controls], [aria-labelledby]')) {
    for (const attribute of ['aria-controls', 'aria-labelledby']) {
      const id = node.getAttribute(attribute);
      check(!id || isHiddenSection(node) || document.getElementById(id), `${attribute} of ${named(node)} leads to ${id}`);
    }
  }
  const first = all('a, button, select, input, summary, [tabindex="0"]')[0];
  check(first?.className === 'skip', 'the skip link comes first');
}
const isHiddenSection = (node) => node.localName === 'section' && node.hidden;

function checkWidth(when) {
  check(document.documentElement.scrollWidth <= innerWidth, `${when}: the page is ${document.documentElement.scrollWidth} wide in ${innerWidth}`);
  for (const node of all('main *, header, footer')) {
    if (!isShown(node) || node.closest('.wide, .sr, nav, caption, svg, .version-list')) continue;
    const right = node.getBoundingClientRect().right;
    check(right <= innerWidth + 1, `${when}: ${named(node)} ends at ${right} of ${innerWidth}`);
  }
}

function checkTexts() {
  check(all('main img, main iframe, main script, main b, main a').length === 0, 'texts of the run are no markup');
  check(window.hacked === undefined, 'texts of the run are no scripts');
  check(performance.getEntriesByType('resource').length === 0, 'nothing is loaded');
  check(document.title.includes(report.name), 'the title names the run');
}

// ---- Use -------------------------------------------------------------------------------------------------------------

const press = (node, key) => node.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
const choose = (label, value) => {
  const select = all('#samples label').find((node) => node.textContent.startsWith(label))?.querySelector('select');
  if (!select) return;  // one part only
  select.value = value;
  select.dispatchEvent(new Event('change', {bubbles: true}));
};

function checkCharts() {
  for (const id of ['metrics', 'cost']) {
    const curve = document.querySelector(`#${id} .chart .curve`);
    check(curve && curve.getBoundingClientRect().width > 100, `a chart in ${id}`);
    const svg = document.querySelector(`#${id} .chart svg`);
    check(Math.abs(svg.viewBox.baseVal.width - svg.getBoundingClientRect().width) < 2, `the chart in ${id} is drawn at its width`);
  }
}

function checkVersions() {
  const selected = () => document.querySelector('[role="tab"][aria-selected="true"]');
  const title = () => document.querySelector('#version-panel h3').textContent;
  check(all('[role="tab"][tabindex="0"]').length === 1, 'one tab stop in the list of versions');
  selected().focus();
  press(selected(), 'Home');
  check(title().startsWith('First values'), 'Home goes to the first values');
  check(document.activeElement === selected(), 'the focus follows');
  for (let i = 1; i < Math.min(5, expected.versions); ++i) press(selected(), 'ArrowDown');
  const there = title();
  check(!there.startsWith('First values'), 'arrow keys go to the next version');
  press(selected(), 'ArrowUp');
  check(title() !== there, 'and back');
  press(selected(), 'End');
  check(document.querySelector('#version-panel ins'), 'insertions are marked');
  check(getComputedStyle(document.querySelector('#version-panel ins')).textDecorationLine === 'underline', 'by more than color');
}

/** Whatever the texts are, both can be read off their differences, and what is equal is not marked. */
function checkDifferences() {
  const prose = 'Sort the mail: yes or no.\n- Be brief.\n\tNo  prose, please; مرحبا 你好 🙂.\n';
  const words = (seed) => Array.from({length: 3000}, (_, i) => 'w' + (i * seed) % 97).join(' ');
  const texts = ['', ' ', '\n', 'a', prose, prose.replace('mail', 'post').replace('Be brief.', ''), prose + prose, words(31), words(53)];
  for (const before of texts) {
    for (const after of texts) {
      const parts = wordDiff(before, after);
      const without = (kind) => parts.filter((part) => part[0] !== kind).map((part) => part[1]).join('');
      check(without('new') === before && without('gone') === after, `the difference of ${before.length} and ${after.length} characters has both texts`);
      if (before === after) check(parts.every((part) => part[0] === 'same'), 'equal texts have no differences');
    }
  }
  const changed = wordDiff('Answer with one word.', 'Answer with one short word.').filter((part) => part[0] !== 'same');
  check(changed.length === 1 && changed[0][0] === 'new' && changed[0][1].trim() === 'short', 'one inserted word is one difference: ' + JSON.stringify(changed));
}

function checkSamples() {
  const rows = () => all('.samples tbody tr');
  const state = () => document.querySelector('#samples .pages span').textContent;
  const total = state();
  check(rows().length <= 25 && rows().length > 0, `${rows().length} rows are in the document`);
  if (expected.samples > 25) choose('Part', 'validation');
  check(expected.samples <= 25 || state().includes(expected.samples.toLocaleString('en')), `all samples are counted: ${state()}`);
  const before = rows()[0].textContent;
  const next = all('#samples .pages button')[1];
  if (expected.samples > 25) {
    next.focus();
    next.click();
    check(rows()[0].textContent !== before, 'the next page shows others');
    check(document.activeElement === next, 'the focus stays on the button');
  }
  for (const filter of all('#samples .switcher button')) check(filter.localName === 'button' && filter.tabIndex === 0, 'filters are reached by the tab key');
  const broken = () => all('#samples .switcher button').find((button) => button.textContent.startsWith('Broken'));
  broken().focus();
  broken().click();
  check(document.activeElement === broken(), 'the focus stays on the filter');
  check(rows().every((row) => row.textContent.includes('broken')), 'the filter shows broken samples only');
  all('#samples .switcher button')[0].click();

  const search = document.querySelector('#samples input');
  search.value = 'no text has this';
  search.dispatchEvent(new Event('input', {bubbles: true}));
  check(rows().length === 0 && state().startsWith('No'), 'a search without hits says so');
  search.value = '';
  search.dispatchEvent(new Event('input', {bubbles: true}));

  const number = document.querySelector('.samples tbody button');
  number.click();
  check(number.getAttribute('aria-expanded') === 'true' && number.closest('tr').classList.contains('open'), 'whole texts on request');
  for (const other of all('.samples tbody button[aria-expanded="false"]')) other.click();
  const besides = all('.besides').map((node) => node.textContent).join(' ');
  check(besides.includes('Raw reply') && besides.includes('Feedback of the evaluator'), 'with raw replies and feedback: ' + besides.slice(0, 200));
  for (const other of all('.samples tbody button[aria-expanded="true"]')) other.click();
  check(all('.besides').length === 0, 'and not for ever');

  const stops = () => all('.confusion [tabindex="0"]');
  check(stops().length === 1, 'the confusion table is one stop of the tab key');
  const stop = stops()[0];
  stop.focus();
  press(stop, 'ArrowRight');
  press(document.activeElement, 'ArrowDown');
  check(document.activeElement !== stop && stops().length === 1 && stops()[0] === document.activeElement, 'arrow keys go from cell to cell');
  const cell = document.querySelector('.confusion .miss button');
  const wanted = Number(cell.textContent.replaceAll(',', ''));
  cell.click();
  check(state().startsWith('1–') ? state().includes(` of ${wanted.toLocaleString('en')} `) : state().startsWith(`${wanted} `), `a cell of ${wanted} shows its samples: ${state()}`);
  check(document.querySelector('.chip'), 'and says so');
  document.querySelector('.chip').click();
  check(total !== '', 'there is a count');
}

function openEverything() {
  for (const details of all('details')) details.open = true;
}

/** The values of a chart are read by keys as well as by a pointer. */
function checkChartKeys() {
  const svg = document.querySelector('#metrics .chart svg');
  const readout = () => document.querySelector('#metrics .readout').textContent;
  const hint = readout();
  svg.focus();
  press(svg, 'Home');
  const first = readout();
  check(first !== hint && first.startsWith('Step'), 'Home reads the first values: ' + first);
  press(svg, 'ArrowRight');
  check(readout() !== first && readout().startsWith('Step'), 'an arrow key reads the next ones: ' + readout());
  press(svg, 'ArrowLeft');
  check(readout() === first, 'and back: ' + readout());
  svg.blur();
  check(readout() === hint, 'the hint comes back');
  svg.dispatchEvent(new PointerEvent('pointermove', {clientX: svg.getBoundingClientRect().right - 14, bubbles: true}));
  check(readout() !== hint, 'values on hover');
  svg.dispatchEvent(new PointerEvent('pointerleave'));
  const axes = [...svg.querySelectorAll('.axis')].map((node) => node.textContent);
  check(axes.length === 2 && axes.includes('Step'), 'axes have titles: ' + axes);
}

async function checkWithAxe(when) {
  if (!window.axe) return;
  const found = await axe.run(document, {resultTypes: ['violations']});
  for (const violation of found.violations) {
    for (const node of violation.nodes.slice(0, 3)) failures.push(`axe, ${when}: ${violation.id}: ${node.target.join(' ')}: ${node.failureSummary}`);
  }
}

/** What a sheet of paper may not have: a chart as wide as the screen. */
function checkPrint() {
  dispatchEvent(new Event('beforeprint'));
  for (const svg of all('.chart svg')) check(svg.viewBox.baseVal.width <= 700, 'charts are drawn for paper');
  dispatchEvent(new Event('afterprint'));
}

const began = performance.now();
requestAnimationFrame(() => setTimeout(async () => {
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  const figures = {width: innerWidth, nodes: all('*').length, drawn_ms: Math.round(began), paint_ms: paint ? Math.round(paint.startTime) : null};
  try {
    check(figures.nodes < 6000, `${figures.nodes} elements`);
    checkTexts();
    checkCharts();
    checkStructure();
    checkWidth('at first');
    checkContrast();
    checkVersions();
    checkDifferences();
    checkSamples();
    checkChartKeys();
    checkPrint();
    await checkWithAxe('at first');
    for (const button of all('.switcher button')) if (button.isConnected) button.click();
    openEverything();
    checkWidth('with everything opened');
    checkStructure();
    checkContrast();
    checkTexts();
    await checkWithAxe('with everything opened');
    const started = performance.now();
    document.querySelector('#samples input').value = 'x';
    document.querySelector('#samples input').dispatchEvent(new Event('input', {bubbles: true}));
    figures.search_ms = Math.round(performance.now() - started);
  } catch (error) {
    failures.push(String(error.stack ?? error));
  }
  // Such that it stands in HTML as it is.
  const plainAscii = (json) => json.replace(/[^ -~]|[<>&]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
  parent.postMessage(plainAscii(JSON.stringify({failures: failures.slice(0, 20), figures})), '*');
}, 100));
