// What was asked of the models: over time, by purpose, and the calls that stand out.

const callColumns = {
  start: {name: 'Start', number: true, cell: (call) => duration(call[0])},
  latency: {name: 'Latency', number: true, cell: (call) => duration(call[1])},
  purpose: {name: 'Purpose', cell: (call) => element('div', {}, call[2] || 'other', call[11] ? quoted(' ' + call[11], {class: 'muted'}) : null)},
  model: {name: 'Model', cell: (call) => quoted(call[3])},
  input: {name: 'Tokens in', number: true, cell: (call) => (call[4] === null ? '–' : count(call[4]))},
  output: {name: 'Tokens out', number: true, cell: (call) => (call[5] === null ? '–' : count(call[5]))},
  cost: {name: 'Cost', number: true, cell: (call) => dollars(call[6])},
  outcome: {name: 'Outcome', cell: (call) => element('div', {}, badge(call[7], call[7] === 'ok' ? '' : 'bad'), call[10] > 1 ? element('span', {class: 'muted'}, ` ${call[10]} attempts`) : null)},
  error: {name: 'Error', class: 'text', cell: (call) => element('div', {}, element('strong', {}, call[8]), call[9] ? ': ' : '', quoted(call[9] ?? ''))}
};

function overTime(points) {
  const kinds = [['calls', 'Calls', (p) => p[1], (v) => compact.format(v), (v) => plural(v, 'call')], ['tokens', 'Tokens', (p) => p[3] + p[4], (v) => compact.format(v), (v) => plural(v, 'token')]];
  if (points.some((p) => p[5] > 0)) kinds.push(['cost', 'Cost', (p) => p[5], (v) => dollars(v), (v) => dollars(v) + ' as far as known']);
  const end = points[points.length - 1];
  const holder = element('div');
  function draw(kind) {
    const [, name, value, axis, words] = kinds.find((k) => k[0] === kind);
    const drawn = chart({
      label: `${name} over time: ${words(value(end))} after ${duration(end[0])}.`, height: 240, xTitle: 'Time since the first call', yTitle: name + (kind === 'cost' ? ' in USD' : ''), x: [0, end[0]], y: [0, value(end) || 1],
      xText: duration, isTime: true, yText: axis, lines: [{class: 'validation', points: points.map((p) => [p[0], value(p)]), area: true}],
      readout: (x) => {
        const point = nearestOf(points, (p) => p[0], x);
        return {x: point[0], text: `After ${duration(point[0])}: ${words(value(point))}${point[2] ? `, ${count(point[2])} failed calls` : ''}`};
      },
      hint: 'All calls up to each moment; pauses of more than a minute are cut short.'
    });
    holder.replaceChildren(drawn.node);
    drawn.draw();
  }
  const start = kinds[kinds.length - 1][0];
  const buttons = switcher('Over time', kinds.map((k) => [k[0], k[1]]), start, draw);
  const columns = [
    {name: 'After', cell: (p) => duration(p[0])}, {name: 'Calls', number: true, cell: (p) => count(p[1])}, {name: 'Failed', number: true, cell: (p) => count(p[2])},
    {name: 'Tokens in', number: true, cell: (p) => count(p[3])}, {name: 'Tokens out', number: true, cell: (p) => count(p[4])}, {name: 'Cost', number: true, cell: (p) => dollars(p[5])}];
  return {node: element('div', {}, element('div', {class: 'controls'}, buttons), holder, more('The figures as a table', pagedTable('All calls up to each moment', columns, points, 30, 'moments').node)),
          draw: () => draw(start)};
}

function cost() {
  const calls = report.calls;
  if (!calls || calls.groups.length === 0) return;
  const columns = [
    {name: 'Model', cell: (g) => quoted(g[0])}, {name: 'Purpose', cell: (g) => g[1] || 'other'}, {name: 'Calls', number: true, cell: (g) => count(g[2])},
    {name: 'Failed', number: true, cell: (g) => count(g[3])}, {name: 'From cache', number: true, cell: (g) => count(g[4])},
    {name: 'Tokens in', number: true, cell: (g) => count(g[5])}, {name: 'Tokens out', number: true, cell: (g) => count(g[6])},
    {name: 'Cost', number: true, cell: (g) => (g[8] > 0 ? (g[7] > 0 ? `≥ ${dollars(g[7])}` : 'unknown') : dollars(g[7]))},
    {name: 'Median', number: true, cell: (g) => duration(g[9])}, {name: '95 %', number: true, cell: (g) => duration(g[10])}, {name: 'Slowest', number: true, cell: (g) => duration(g[11])}
  ];
  if (!calls.groups.some((g) => g[3])) columns.splice(columns.findIndex((c) => c.name === 'Failed'), 1);
  if (!calls.groups.some((g) => g[4])) columns.splice(columns.findIndex((c) => c.name === 'From cache'), 1);
  const time = calls.over_time.length > 1 ? overTime(calls.over_time) : null;
  show('cost', 'Cost', heading('cost', 'Calls and cost'), time?.node, wide('Calls by model and purpose', table('Calls by model and purpose, with their latency', columns, calls.groups)));
  time?.draw();
}

function calls() {
  const calls = report.calls;
  if (!calls || calls.slowest.length === 0) return;
  const {start, latency, purpose, model, input, output, cost, outcome, error} = callColumns;
  // What is like all others stands in the table above.
  const usual = new Map(calls.groups.map((group) => [group[0] + ' ' + group[1], {latency: group[9] ?? 0, cost: group[7] / Math.max(1, group[2])}]));
  const usualOf = (call) => usual.get(call[3] + ' ' + call[2]) ?? {latency: 0, cost: 0};
  const slow = calls.slowest.filter((call) => call[1] >= 3 * usualOf(call).latency && call[1] >= 1);
  const costly = calls.costliest.filter((call) => call[6] >= 3 * usualOf(call).cost);
  const views = [];
  if (slow.length) views.push(['slowest', 'Slowest', 'Calls that took three times as long as usual', [latency, purpose, model, input, output, cost, outcome, start], slow]);
  if (costly.length) views.push(['costliest', 'Costliest', 'Calls that cost three times as much as usual', [cost, purpose, model, input, output, latency, outcome, start], costly]);
  if (calls.failed.length) views.push(['failed', `Failed (${count(calls.failures)})`, 'Calls that failed', [start, purpose, model, latency, outcome, error], calls.failed]);
  if (views.length === 0) return;
  const holder = element('div');
  const draw = (kind) => {
    const [, , caption, columns, rows] = views.find((view) => view[0] === kind);
    holder.replaceChildren(pagedTable(caption, columns, rows, 20, 'calls', {class: 'stacked'}).node,
      ...(kind === 'failed' ? [element('p', {class: 'hint'}, 'By kind: ' + calls.errors.map(([type, number]) => `${type} ${count(number)}×`).join(', ') + (calls.failures > rows.length ? `. The first ${rows.length} are listed.` : '.'))] : []));
  };
  show('calls', 'Calls', heading('calls', 'Calls that stand out'), views.length > 1 ? element('div', {class: 'controls'}, switcher('Calls', views.map((view) => [view[0], view[1]]), views[0][0], draw)) : null, holder);
  draw(views[0][0]);
}

for (const draw of [overview, metrics, cost, search, versions, notTaken, diagnosis, problems, samples, confusion, calls]) draw();
