// The samples: which ones each version fixed and broke, and what was mistaken for what.

const measuredPart = (part) => report.measured.find((measured) => measured.part === part);
/** What a sample counts with; failed ones may have no score. */
const worst = report.higher ? -Infinity : Infinity;
const scored = (score) => (score === null ? worst : score);
const isBinary = report.measured.every((measured) => measured.at.every(([, , scores]) => scores.every((score) => score === 0 || score === 1 || score === null)));
const isFull = (score) => (report.higher ? scored(score) >= report.best_score : scored(score) <= report.best_score);

function changesBetween(measured, before, after) {
  let better = 0;
  let worse = 0;
  for (let i = 0; i < measured.rows.length; ++i) {
    const [a, b] = [scored(before[2][i]), scored(after[2][i])];
    if (isBetter(a, b)) ++better;
    else if (a !== b) ++worse;
  }
  return {better, worse};
}

/** "#114", with where it stands in the file on hover. */
function rowName(measured, row, name = '#' + row) {
  const line = measured?.lines?.[measured.rows.indexOf(row)];
  return element('span', {title: `row ${row} of ${measured?.file || 'the data'}, counted from 0${line ? ` (line ${line})` : ''}`}, name);
}

/** Sets the sample section to something and goes there; set by samples(). */
let showSamples = () => {};

function samples() {
  const measuredParts = report.measured.filter((measured) => measured.at.length > 0 && measured.rows.length > 0);
  if (measuredParts.length === 0) return;
  const preferred = measuredParts.find((m) => m.part === 'test' && m.at.length > 1) ?? measuredParts.find((m) => m.at.length > 1) ?? measuredParts[0];
  const state = {part: preferred.part, filter: 'all', query: '', cell: null};
  const lastOrBest = (measured) => measured.at.find((m) => m[0] === report.best) ?? measured.at[measured.at.length - 1];
  function resetSteps() {
    const measured = measuredPart(state.part);
    state.before = measured.at[0][0];
    state.after = lastOrBest(measured)[0];
  }
  resetSteps();

  const lowered = new Map();
  const searchable = (index) => {
    if (index === null || index === undefined || index < 0) return '';
    if (!lowered.has(index)) lowered.set(index, report.strings[index].toLowerCase());
    return lowered.get(index);
  };
  const current = () => {
    const measured = measuredPart(state.part);
    return {measured, before: measured.at.find((m) => m[0] === state.before), after: measured.at.find((m) => m[0] === state.after)};
  };
  const kinds = {
    all: () => true,
    better: (a, b) => isBetter(scored(a[1]), scored(b[1])),
    worse: (a, b) => isBetter(scored(b[1]), scored(a[1])),
    wrong: (a, b) => !isFull(b[1]),
    failed: (a, b) => b[0] < 0
  };
  const kindNames = {all: 'All', better: 'Fixed', worse: 'Broken', wrong: isBinary ? 'Wrong' : 'Below the full score', failed: 'Failed'};

  const controls = element('div', {class: 'controls'});
  const filters = element('div', {class: 'controls'});
  const search = element('input', {type: 'search', placeholder: 'Search in all texts', 'aria-label': 'Search the samples', oninput: () => { state.query = search.value; draw(); }});
  const chip = element('span');
  const holder = element('div');

  function drawControls() {
    const {measured} = current();
    const steps = measured.at.map((m) => [m[0], stepName(m[0]) + (m[0] === report.best ? ' ★' : '')]);
    controls.replaceChildren(...[
      measuredParts.length > 1 ? choice('Part', measuredParts.map((m) => [m.part, partName(m.part)]), state.part, (part) => { state.part = part; state.cell = null; resetSteps(); redraw(0); }) : null,
      steps.length > 1 ? choice('before', steps, state.before, (step) => { state.before = step; redraw(1); }) : null,
      steps.length > 1 ? choice('after', steps, state.after, (step) => { state.after = step; redraw(2); }) : null].filter(Boolean));
  }
  /** The control that was used keeps the focus though it is made anew. */
  function redraw(control) {
    drawControls();
    draw();
    controls.querySelectorAll('select')[measuredParts.length > 1 ? control : control - 1]?.focus();
  }

  const pager = pages(25, drawRows, 'samples');
  const body = element('tbody');
  let columns = [];

  function drawRows(rows) {
    body.replaceChildren(...bodyRows(columns, rows));
  }

  function answer(index, [, predictions, scores]) {
    const prediction = predictions[index];
    const score = scores[index];
    const mark = isFull(score) ? element('span', {class: 'ok', role: 'img', 'aria-label': 'right'}, '✓') : element('span', {class: 'wrong', role: 'img', 'aria-label': 'wrong'}, '✗');
    return element('div', {class: 'answer'}, isBinary ? mark : element('span', {class: 'score'}, scoreText(score)),
      prediction < 0 ? element('em', {class: 'muted'}, 'failed') : quoted(text(prediction) || '(empty)', {class: 'clip'}));
  }

  function inputCell(measured, index) {
    const content = quoted(text(measured.inputs[index]) ?? '', {class: 'clip'}, 'div');
    return content;
  }

  /** Whole texts, and below them what there is besides: raw replies, what the evaluator said, and where training met the sample. */
  function toggle(button, measured, before, after, i) {
    const line = button.closest('tr');
    const isOpen = line.classList.toggle('open');
    button.setAttribute('aria-expanded', String(isOpen));
    if (line.nextSibling?.className === 'besides') line.nextSibling.remove();
    const besides = isOpen ? besidesOf(measured, before, after, i) : [];
    if (besides.length) line.after(element('tr', {class: 'besides'}, element('td', {colspan: columns.length}, element('dl', {}, besides.map(([name, content]) =>
      element('div', {}, element('dt', {}, name), content.nodeType ? element('dd', {}, content) : quoted(content, {}, 'dd')))))));
  }

  function besidesOf(measured, before, after, i) {
    const row = measured.rows[i];
    const found = [];
    const steps = before === after ? [after] : [before, after];
    for (const at of steps) {
      const when = before === after ? '' : ', ' + stepName(at[0]).toLowerCase();
      if (text(at[3][row]) !== null) found.push(['Raw reply' + when, text(at[3][row])]);
      if (text(at[4][row]) !== null) found.push(['Feedback of the evaluator' + when, text(at[4][row])]);
    }
    const batches = measured.part === 'train' ? report.versions.filter((version) => version.batch?.[0].includes(row)) : [];
    if (batches.length) {
      found.push(['In the batches of', element('span', {}, batches.flatMap((version) =>
        [element('button', {type: 'button', class: 'link', onclick: () => openVersion(version.step)}, stepName(version.step).toLowerCase()), ' ']))]);
    }
    const line = measured.lines?.[i];
    if (measured.file || line) found.push(['In the data', `row ${row} of ${measured.file || 'the file'}, counted from 0` + (line ? ` (line ${line})` : '')]);
    return found;
  }

  function setColumns({measured, before, after}) {
    columns = [
      {name: 'Row', class: 'row-number', cell: (i) => element('button', {type: 'button', class: 'link', 'aria-expanded': 'false', 'aria-label': `Row ${measured.rows[i]}: whole texts, replies and feedback`,
        onclick: (event) => toggle(event.currentTarget, measured, before, after, i)}, rowName(measured, measured.rows[i]))},
      {name: 'Input', class: 'text', cell: (i) => inputCell(measured, i)}
    ];
    if (measured.targets) columns.push({name: 'Expected', class: 'label', cell: (i) => quoted(text(measured.targets[i]) ?? '', {class: 'clip'}, 'div')});
    if (before !== after) columns.push({name: stepName(before[0]), class: 'label', cell: (i) => answer(i, before)});
    columns.push({name: before === after ? 'Got' : stepName(after[0]), class: 'label', cell: (i) => answer(i, after)});
    if (before !== after) columns.push({name: 'Change', class: 'change', cell: (i) => {
      const [a, b] = [scored(before[2][i]), scored(after[2][i])];
      return isBetter(a, b) ? badge('▲ fixed', 'good') : isBetter(b, a) ? badge('▼ broken', 'bad') : element('span', {class: 'muted'}, 'same');
    }});
  }

  function draw() {
    const {measured, before, after} = current();
    setColumns({measured, before, after});
    const words = state.query.toLowerCase().trim();
    const matches = (i) => !words || words === '#' + measured.rows[i] || searchable(measured.inputs[i]).includes(words) || measured.targets && searchable(measured.targets[i]).includes(words)
      || [before, after].some((at) => [at[1][i], at[3][measured.rows[i]], at[4][measured.rows[i]]].some((index) => searchable(index).includes(words)));
    const inCell = (i) => !state.cell || state.cell.matches(measured.targets[i], after[1][i]);
    const counts = {all: 0, better: 0, worse: 0, wrong: 0, failed: 0};
    const rows = [];
    for (let i = 0; i < measured.rows.length; ++i) {
      if (!matches(i) || !inCell(i)) continue;
      const [a, b] = [[before[1][i], before[2][i]], [after[1][i], after[2][i]]];
      for (const kind in kinds) if (kinds[kind](a, b)) ++counts[kind];
      if (kinds[state.filter](a, b)) rows.push(i);
    }
    const names = Object.keys(kinds).filter((kind) => kind === state.filter || (before === after ? kind !== 'better' && kind !== 'worse' : true) && (kind !== 'failed' || counts.failed > 0));
    const focused = filters.contains(document.activeElement);
    filters.replaceChildren(switcher('Samples', names.map((kind) => [kind, `${kindNames[kind]} (${count(counts[kind])})`]), state.filter, (kind) => { state.filter = kind; draw(); }));
    if (focused) filters.querySelector('[aria-pressed="true"]').focus();
    chip.replaceChildren(state.cell ? element('button', {type: 'button', class: 'chip', onclick: () => { state.cell = null; draw(); search.focus(); }}, state.cell.label, element('span', {class: 'sr'}, '; show all again'), ' ✕') : '');
    holder.replaceChildren(element('table', {class: 'stacked samples'}, element('caption', {}, `${partName(measured.part)} part: what came out for each sample`), headRow(columns), body));
    pager.set(rows);
  }

  show('samples', 'Samples', heading('samples', 'Samples'), controls, element('div', {class: 'controls'}, filters, search, chip), holder, pager.controls);
  drawControls();
  draw();
  showSamples = (wanted) => {
    Object.assign(state, {query: '', cell: null}, wanted);
    search.value = state.query;
    drawControls();
    draw();
    document.getElementById('samples').scrollIntoView();
    filters.querySelector('[aria-pressed="true"]').focus({preventScroll: true});
  };
}

// ---- Confusion -----------------------------------------------------------------------------------------------------------

const mostClasses = 20;

/** Texts that are answers to be compared as wholes, and few: classes. */
function hasClasses(measured) {
  if (!measured.targets || measured.at.length === 0) return false;
  const targets = new Set(measured.targets);
  return targets.size >= 2 && targets.size <= Math.max(mostClasses, measured.rows.length / 4);
}

function confusionOf(measured, predictions) {
  const frequency = new Map();
  const add = (index, weight) => index >= 0 && frequency.set(index, (frequency.get(index) ?? 0) + weight);
  // Classes that are expected come before what was only ever answered.
  for (const target of measured.targets) add(target, 1e6);
  for (const prediction of predictions) add(prediction, 1);
  const classes = [...frequency].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, mostClasses).map((entry) => entry[0]);
  const place = new Map(classes.map((index, i) => [index, i]));
  const other = classes.length;
  const failed = other + 1;
  const cells = new Map();
  const columnUsed = new Set(classes.keys());
  const rowUsed = new Set(classes.filter((index) => frequency.get(index) >= 1e6).map((index) => place.get(index)));
  measured.targets.forEach((target, i) => {
    const row = place.get(target) ?? other;
    const column = predictions[i] < 0 ? failed : place.get(predictions[i]) ?? other;
    rowUsed.add(row);
    columnUsed.add(column);
    cells.set(row * 100 + column, (cells.get(row * 100 + column) ?? 0) + 1);
  });
  const ordered = (used) => [...used].sort((a, b) => a - b);
  return {place, other, failed, rows: ordered(rowUsed), columns: ordered(columnUsed), at: (row, column) => cells.get(row * 100 + column) ?? 0,
          name: (i) => (i === other ? 'other' : i === failed ? 'failed' : text(classes[i]) || '(empty)')};
}

function confusion() {
  const parts = report.measured.filter(hasClasses);
  if (parts.length === 0) return;
  const state = {part: (parts.find((m) => m.part === 'test') ?? parts[0]).part};
  const reset = () => {
    const at = measuredPart(state.part).at;
    state.step = (at.find((m) => m[0] === report.best) ?? at[at.length - 1])[0];
  };
  reset();
  const controls = element('div', {class: 'controls'});
  const holder = element('div');

  function cell(measured, matrix, row, column) {
    const number = matrix.at(row, column);
    if (number === 0) return element('td', {class: 'number zero'}, '·');
    const total = matrix.columns.reduce((sum, c) => sum + matrix.at(row, c), 0);
    const [expected, got] = [matrix.name(row), matrix.name(column)];
    const matches = (target, prediction) => (matrix.place.get(target) ?? matrix.other) === row && (prediction < 0 ? matrix.failed : matrix.place.get(prediction) ?? matrix.other) === column;
    const button = element('button', {type: 'button', 'aria-label': `${count(number)} with ${expected} expected and ${got} got: show them`,
      onclick: () => showSamples({part: state.part, after: state.step, before: measured.at[0][0], filter: 'all', cell: {matches, label: `expected ${expected}, got ${got}`}})}, count(number));
    button.style.setProperty('--share', (number / total).toFixed(3));
    return element('td', {class: 'number ' + (row === column ? 'hit' : 'miss')}, button);
  }

  function draw(focus) {
    const measured = measuredPart(state.part);
    controls.replaceChildren(...[
      parts.length > 1 ? choice('Part', parts.map((m) => [m.part, partName(m.part)]), state.part, (part) => { state.part = part; reset(); draw(0); }) : null,
      measured.at.length > 1 ? choice('Values', measured.at.map((m) => [m[0], stepName(m[0]) + (m[0] === report.best ? ' ★' : '')]), state.step, (step) => { state.step = step; draw(1); }) : null].filter(Boolean));
    if (focus !== undefined) [...controls.querySelectorAll('select')].at(parts.length > 1 ? focus : 0)?.focus();
    const matrix = confusionOf(measured, measured.at.find((m) => m[0] === state.step)[1]);
    const head = element('thead', {}, element('tr', {}, element('td', {class: 'corner'}, 'expected ↓  got →'), matrix.columns.map((c) => element('th', {scope: 'col', dir: 'auto'}, element('div', {}, matrix.name(c))))));
    const rows = matrix.rows.map((row) => element('tr', {}, element('th', {scope: 'row', dir: 'auto'}, matrix.name(row)), matrix.columns.map((column) => cell(measured, matrix, row, column))));
    const body = element('tbody', {onkeydown: byArrows}, rows);
    body.querySelectorAll('button').forEach((button, i) => { button.tabIndex = i === 0 ? 0 : -1; });
    holder.replaceChildren(byClass(matrix), wide('Confusion table', element('table', {class: 'confusion'}, element('caption', {},
      'Samples by the expected class (rows) and the class that came out (columns), most frequent first. A number opens its samples; arrow keys go from one to the next.'), head, body)));
  }
  /** Of the answers with a label, how many are right; of the samples with it, how many were found. */
  function byClass(matrix) {
    const sum = (list, value) => list.reduce((total, i) => total + value(i), 0);
    const figures = matrix.rows.filter((row) => row < matrix.other).map((row) => {
      const hits = matrix.at(row, row);
      const expected = sum(matrix.columns, (column) => matrix.at(row, column));
      const got = sum(matrix.rows, (other) => matrix.at(other, row));
      const [precision, recall] = [got ? hits / got : null, expected ? hits / expected : null];
      return {name: matrix.name(row), expected, got, precision, recall, f1: precision && recall ? 2 * precision * recall / (precision + recall) : precision === null ? null : 0};
    });
    const share = (value) => (value === null ? '–' : (value * 100).toFixed(1) + '%');
    return wide('Precision and recall', table('Of each class: how many of its answers are right (precision), how many of its samples were found (recall)', [
      {name: 'Class', cell: (c) => quoted(c.name)}, {name: 'Precision', number: true, cell: (c) => share(c.precision)}, {name: 'Recall', number: true, cell: (c) => share(c.recall)},
      {name: 'F1', number: true, cell: (c) => share(c.f1)}, {name: 'Expected', number: true, cell: (c) => count(c.expected)}, {name: 'Got', number: true, cell: (c) => count(c.got)}], figures));
  }
  /** One stop for the tab key instead of hundreds; empty cells are stepped over. */
  function byArrows(event) {
    const [down, right] = {ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1]}[event.key] ?? [0, 0];
    const from = event.target.closest('td');
    if (!from || down === 0 && right === 0) return;
    event.preventDefault();
    const lines = [...event.currentTarget.rows];
    let [y, x] = [lines.indexOf(from.parentNode), from.cellIndex];
    let button = null;
    do {
      y += down;
      x += right;
      button = lines[y]?.cells[x]?.querySelector('button');
    } while (!button && lines[y]?.cells[x]);
    if (!button) return;
    event.target.tabIndex = -1;
    button.tabIndex = 0;
    button.focus();
  }
  show('confusion', 'Classes', heading('confusion', 'Classes: what was taken for what'), controls, holder);
  draw();
}

// ---- What went wrong -----------------------------------------------------------------------------------------------------

/** A button that opens one sample of a part. */
function sampleLink(part, row) {
  const measured = report.measured.find((m) => m.part === part && m.rows.includes(row) && m.at.length > 0);
  if (!measured) return '#' + row;
  const last = (measured.at.find((m) => m[0] === report.best) ?? measured.at[measured.at.length - 1])[0];
  return element('button', {type: 'button', class: 'link', 'aria-label': `Row ${row} of the ${partName(part)} part: show it`,
    onclick: () => showSamples({part, before: measured.at[0][0], after: last, filter: 'all', query: '#' + row})}, '#' + row);
}

function problems() {
  if (report.problems.length === 0) return;
  const failed = new Set(report.problems.filter((problem) => problem[4]).map((problem) => problem[0] + ' ' + problem[1])).size;
  const kinds = new Map();
  for (const [, , kind] of report.problems) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const byKind = [...kinds].sort((a, b) => b[1] - a[1]).map(([kind, number]) => `${count(number)} ${plain(kind)}`).join(', ');
  const columns = [
    {name: 'Row', class: 'row-number', cell: ([part, row]) => sampleLink(part, row)},
    {name: 'Part', cell: ([part]) => partName(part)},
    {name: 'What', cell: ([, , kind, , isFailure]) => explained(badge(plain(kind), isFailure ? 'bad' : 'warn'), problemMeanings[kind])},
    {name: 'Reason', class: 'text', cell: ([, , , reason]) => quoted(text(reason) ?? '', {class: 'clip'}, 'div')},
    {name: 'Times', number: true, cell: ([, , , , , times, of]) => `${count(times)} of ${count(of)}`}
  ];
  show('problems', 'Problems', heading('problems', 'Samples with problems'),
    element('p', {class: 'hint'}, `By their own fault, and scored worst: ${byKind}. ${failed === 0 ? 'None' : count(failed)} of these samples failed; a reply that a limit of the task cut counts as an answer.`),
    pagedTable('Samples by their rows in the data, why, and in how many of the measurements of their part', columns, report.problems, 25, 'problems').node);
}

const findingMeanings = {
  ...problemMeanings, empty: 'the reply was empty', thinking: 'the reply was a thought', letter_case: 'right but for capital letters',
  blanks: 'right but for blanks', punctuation: 'right but for punctuation', spelling: 'right but for capitals, blanks and punctuation',
  notation: 'the right number or date, written in another way', among_words: 'right, among other words',
  several_labels: 'the right label, among others', among_numbers: 'the right number, among others', json_among_words: 'right JSON, among other words',
  other_label: 'another one of the allowed answers', no_label: 'none of the allowed answers', wrong_factor: 'a number of the wrong power of ten',
  wrong_sign: 'a number of the wrong sign', too_high: 'a number that is too high', too_low: 'a number that is too low', no_number: 'no number',
  other_date: 'another date', no_date: 'no date', no_json: 'no JSON', missing_keys: 'JSON without some keys', extra_keys: 'JSON with keys too many',
  wrong_types: 'JSON with values of another type', wrong_values: 'JSON with wrong values', other_text: 'another text'
};

function diagnosis() {
  const known = report.diagnosis;
  if (!known || known.solved >= known.samples) return;
  const lines = (text(known.text) ?? '').split('\n').filter(Boolean);
  const columns = [
    {name: 'What', cell: ([kind]) => capital(meaningOf(findingMeanings, kind))},
    {name: 'Replies', number: true, cell: ([, number]) => count(number)},
    {name: 'Samples', class: 'text', cell: ([, , rows]) => element('span', {}, rows.slice(0, 20).flatMap((row) => [sampleLink(known.part, row), ' ']), rows.length > 20 ? '…' : null)}
  ];
  show('diagnosis', 'Diagnosis', heading('diagnosis', `What the ${partName(known.part).toLowerCase()} part still lacks`),
    element('p', {class: 'hint'}, `With the best values ${count(known.solved)} of ${count(known.samples)} samples are right. Counted by code; no language model was asked.`),
    element('ul', {}, lines.map((line) => quoted(line, {}, 'li'))),
    known.findings.length ? wide('Findings', table('How the other replies miss the right answer', columns, known.findings)) : null);
}
