'use strict';

// What all sections need: elements, figures as text, tables in pages. Every text of the run reaches the page through
// textContent or a text node: nothing of it is ever read as markup.

const report = JSON.parse(document.getElementById('data').textContent);
const text = (index) => (index === null || index === undefined || index < 0 ? null : report.strings[index]);

// ---- Elements ----------------------------------------------------------------------------------------------------------

const svgNames = new Set(['svg', 'g', 'path', 'line', 'circle', 'rect', 'text', 'title', 'desc']);

/** element('button', {class: 'x', onclick: f}, 'text', child, …); children that are null or false are left out. */
function element(name, attributes = {}, ...children) {
  const node = svgNames.has(name) ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A text of the run: in its own direction, and apart from the page's. */
const quoted = (content, attributes = {}, name = 'span') => element(name, {dir: 'auto', ...attributes}, content);

const heading = (section, title) => element('h2', {id: section + '-title'}, title);

function choice(label, options, value, onchange) {
  const select = element('select', {onchange: () => onchange(options[select.selectedIndex][0])},
                         options.map(([key, name]) => element('option', {value: String(key), selected: key === value}, name)));
  return element('label', {class: 'choice'}, element('span', {}, label), select);
}

/** Buttons of which one is pressed. */
function switcher(label, options, value, onchange) {
  const buttons = options.map(([key, name]) => element('button', {type: 'button', 'aria-pressed': String(key === value), onclick: () => {
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(options[i][0] === key)));
    onchange(key);
  }}, name));
  return element('div', {class: 'switcher', role: 'group', 'aria-label': label}, buttons);
}

/** "62.5 % – 81.0 %": where the mean lies in 95 of 100 cases. */
const intervalText = (interval) => (interval ? `${scoreText(interval[0])} – ${scoreText(interval[1])}` : '–');

const partNames = {train: 'Train', validation: 'Validation', test: 'Test'};
const partName = (part) => partNames[part] ?? part;
const badge = (label, kind = '') => element('span', {class: 'badge ' + kind}, label);
const statusNames = {ok: 'Finished', failed: 'Failed', interrupted: 'Interrupted', running: 'Running', unfinished: 'Unfinished'};
const statusClasses = {ok: 'good', failed: 'bad', interrupted: 'warn', running: 'accent', unfinished: 'warn'};

function show(id, label, ...children) {
  const section = document.getElementById(id);
  section.append(...children.flat().filter(Boolean));
  section.hidden = false;
  document.getElementById('nav').append(element('a', {href: '#' + id}, label));
}

// ---- Figures -----------------------------------------------------------------------------------------------------------

/** All there are, on the page of a run and on that of several. */
const measuredScores = (report.runs ? report.runs.flatMap((run) => run.parts.flatMap((p) => [p.first, p.best]))
  : [...report.validations.map((v) => v[2]), ...report.steps.score, ...report.parts.flatMap((p) => [p.before, p.after])])
  .filter((score) => score !== null);
const isShare = report.best_score === 1 && measuredScores.every((score) => score >= 0 && score <= 1);

const whole = new Intl.NumberFormat('en');
const count = (number) => whole.format(number);
const plural = (number, one, many = one + 's') => `${count(number)} ${number === 1 ? one : many}`;
const trimmed = (number, digits) => String(Number(number.toPrecision(digits)));

function scoreText(score) {
  if (score === null || score === undefined) return '–';
  return isShare ? (score * 100).toFixed(1) + '%' : trimmed(score, 4);
}
function gainText(before, after) {
  if (before === null || after === null) return '–';
  const gain = after - before;
  const sign = gain > 0 ? '+' : gain < 0 ? '−' : '±';
  return isShare ? `${sign}${Math.abs(gain * 100).toFixed(1)} points` : sign + trimmed(Math.abs(gain), 4);
}
const isBetter = (before, after) => (report.higher ? after > before : after < before);

/** As in the terminal: what is less is beyond any doubt. */
function chanceText(chance) {
  if (chance === null || chance === undefined) return '–';
  return chance < 0.001 ? 'p < 0.001' : 'p = ' + trimmed(chance, 2);
}
function dollars(cost) {
  if (cost === null || cost === undefined) return 'unknown';
  if (cost === 0) return '$0.00';
  return cost < 0.01 ? '$' + trimmed(cost, 2) : '$' + cost.toLocaleString('en', {minimumFractionDigits: 2, maximumFractionDigits: 2});
}
function duration(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds === 0) return '0 s';
  if (seconds < 0.9995) return Math.round(seconds * 1000) + ' ms';
  if (seconds < 60) return trimmed(seconds, 3) + ' s';
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min` + (Math.floor(seconds % 60) ? ` ${Math.floor(seconds % 60)} s` : '');
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
const compact = new Intl.NumberFormat('en', {notation: 'compact', maximumFractionDigits: 1});

/** "cut_off" as people write it. */
const plain = (name) => name.replaceAll('_', ' ');

/** What became of a value in a step, for people. */
const outcomeMeanings = {
  first: 'the values that the run began with', updated: 'a new value was taken', rejected: 'there was a new value, and it was not taken',
  kept: 'the old value stayed, because no reply could be used', unchanged: 'the model had nothing to change',
  no_feedback: 'every sample of the batch was right, so that no model was asked'
};

/** Why a reply could not be used, or what was wrong with an answer, for people. */
const problemMeanings = {
  cut_off: 'the reply was cut off by a limit of tokens', filtered: 'a filter withheld the reply', no_value: 'there was no value in the reply',
  no_opening_tag: 'the tag in front of the value was missing', no_closing_tag: 'the tag behind the value was missing',
  several_values: 'there were several values in the reply', empty_value: 'the value was empty', unreadable: 'it could not be read',
  leaked_tag: 'the value held a tag of the request', echo: 'the value repeated the request', elided: 'the value left out lines of the old one',
  violated_constraint: 'the value broke a constraint', lost_placeholder: 'the value lost a placeholder', too_long: 'it was too long',
  changed_frozen: 'the value changed what is frozen', copied: 'the value copied words of a sample', unchanged: 'the value was the old one',
  refused: 'the model did not want to answer', cut: 'a limit of tokens ended the reply'
};
const meaningOf = (meanings, name) => meanings[name] ?? plain(name);
const capital = (sentence) => sentence.charAt(0).toUpperCase() + sentence.slice(1);

/** "43 fixed, 6 broken". */
const changesText = (better, worse) => `${count(better)} fixed, ${count(worse)} broken`;

/** A word that has its meaning on hover, and for whoever reads with the ears. */
const explained = (node, meaning) => {
  if (meaning) node.append(element('span', {class: 'sr'}, ': ' + meaning));
  if (meaning) node.setAttribute('title', meaning);
  return node;
};

// ---- Tables ------------------------------------------------------------------------------------------------------------

/** columns: [{name, number?, cell(row)}]. A cell is a node or a text. */
function bodyRows(columns, rows) {
  return rows.map((row) => element('tr', {}, columns.map((column, i) =>
    element(i === 0 && !column.plain ? 'th' : 'td', {scope: i === 0 && !column.plain ? 'row' : null, class: column.number ? 'number' : column.class, 'data-label': typeof column.name === 'string' ? column.name : column.name.textContent},
            column.cell(row)))));
}
const headRow = (columns) => element('thead', {}, element('tr', {}, columns.map((column) =>
  element('th', {scope: 'col', class: column.number ? 'number' : column.class}, column.name))));

function table(caption, columns, rows, attributes = {}) {
  return element('table', attributes, element('caption', {}, caption), headRow(columns), element('tbody', {}, bodyRows(columns, rows)));
}

/** Only the page of rows that is looked at is in the document. set(rows) shows others, goTo(index) the page of a row. */
function pages(size, render, what) {
  let rows = [];
  let page = 0;
  const state = element('span', {'aria-live': 'polite'});
  const previous = element('button', {type: 'button', onclick: () => turn(page - 1)}, 'Previous');
  const next = element('button', {type: 'button', onclick: () => turn(page + 1)}, 'Next');
  const controls = element('div', {class: 'pages', role: 'group', 'aria-label': 'Pages of ' + what}, previous, next, state);
  const last = () => Math.max(0, Math.ceil(rows.length / size) - 1);
  function turn(to) {
    page = Math.min(Math.max(to, 0), last());
    const first = page * size;
    render(rows.slice(first, first + size), first);
    // Disabled buttons lose the focus, so that it would be lost for those who press keys.
    previous.setAttribute('aria-disabled', String(page === 0));
    next.setAttribute('aria-disabled', String(page === last()));
    controls.classList.toggle('single', last() === 0);
    state.textContent = rows.length === 0 ? `No ${what}` : last() === 0 ? count(rows.length) + ' ' + what
      : `${count(first + 1)}–${count(Math.min(first + size, rows.length))} of ${count(rows.length)} ${what}`;
  }
  return {
    controls,
    set(all, index = 0) {
      rows = all;
      turn(Math.floor(index / size));
    },
    goTo: (index) => turn(Math.floor(index / size))
  };
}

function pagedTable(caption, columns, rows, size, what, attributes = {}) {
  const body = element('tbody');
  const pager = pages(size, (shown) => body.replaceChildren(...bodyRows(columns, shown)), what);
  pager.set(rows);
  const node = element('div', {}, wide(caption, element('table', attributes, element('caption', {}, caption), headRow(columns), body)), pager.controls);
  return {node, set: pager.set};
}

/** What may be wider than a phone scrolls by itself, by keys, too. */
const wide = (label, child) => element('div', {class: 'wide', tabindex: '0', role: 'region', 'aria-label': label}, child);

const more = (summary, ...children) => element('details', {class: 'more'}, element('summary', {}, summary), ...children);
