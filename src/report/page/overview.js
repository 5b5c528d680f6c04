// What came out, and how the scores went from step to step.

const endings = {
  epochs: 'all epochs done', steps: 'the limit of steps was reached', time: 'the time was up', calls: 'the limit of calls was reached',
  tokens: 'the limit of tokens was reached', cost: 'the limit of costs was reached', early_stopping: 'validation got no better',
  stopped: 'it was asked to stop'
};
function headline() {
  const part = report.parts.find((p) => p.before !== null && p.after !== null);
  if (!part) return null;
  const gained = part.after === part.before ? 'even' : isBetter(part.before, part.after) ? 'good' : 'bad';
  return element('p', {class: 'headline'},
    element('span', {class: 'headline-part'}, `${partName(part.name)} part, ${plural(part.samples, 'sample')}: ${report.metric}`),
    element('span', {class: 'headline-scores'}, element('span', {class: 'muted'}, scoreText(part.before)),
      element('span', {class: 'arrow', 'aria-hidden': 'true'}, '→'), element('span', {class: 'sr'}, 'to'), element('strong', {}, scoreText(part.after)),
      element('span', {class: 'headline-gain ' + gained}, gainText(part.before, part.after))),
    part.after_interval ? element('span', {class: 'headline-note'}, `95 % interval: ${intervalText(part.after_interval)} (before: ${intervalText(part.before_interval)}).`) : null,
    part.p_value === null ? null : element('span', {class: 'headline-note'}, chanceNote(part)));
}

function chanceNote(part) {
  if (part.better === 0 && part.worse === 0) return 'No sample came out differently.';
  const figures = `${chanceText(part.p_value)}, paired test: ${changesText(part.better, part.worse)}`;
  return (part.p_value < 0.05 ? 'Hardly by chance' : 'May be chance') + ` (${figures}).`;
}

/** A line from before to after, for the eye; the figures stand next to it. */
function gainBar(part) {
  const clamp = (score) => 4 + 112 * Math.min(1, Math.max(0, score));
  const [from, to] = [clamp(part.before), clamp(part.after)];
  return element('svg', {viewBox: '0 0 120 14', width: 120, height: 14, 'aria-hidden': 'true', class: 'gain-bar'},
    element('line', {class: 'grid', x1: 4, x2: 116, y1: 7, y2: 7}),
    element('line', {class: isBetter(part.before, part.after) ? 'good' : 'bad', x1: from, x2: to, y1: 7, y2: 7}),
    element('circle', {class: 'from', cx: from, cy: 7, r: 3}), element('circle', {class: 'to', cx: to, cy: 7, r: 4}));
}

function partsTable() {
  const rows = report.parts.filter((part) => part.before !== null || part.after !== null);
  if (rows.length === 0) return null;
  const columns = [
    {name: 'Part', cell: (part) => partName(part.name)},
    {name: 'Before', number: true, cell: (part) => scoreText(part.before)},
    {name: 'After', number: true, cell: (part) => element('strong', {}, scoreText(part.after))},
    {name: 'Gain', number: true, cell: (part) => gainText(part.before, part.after)}
  ];
  if (rows.some((part) => part.after_interval)) columns.splice(3, 0, {name: '95 % interval', number: true, cell: (part) => intervalText(part.after_interval)});
  if (isShare) columns.push({name: element('span', {class: 'sr'}, 'From before to after'), class: 'bar-cell', cell: (part) => part.before !== null && part.after !== null ? gainBar(part) : ''});
  if (rows.some((part) => part.better !== null)) {
    columns.push({name: 'Fixed', number: true, cell: (part) => part.better === null ? '–' : count(part.better)},
                 {name: 'Broken', number: true, cell: (part) => part.worse === null ? '–' : count(part.worse)});
  }
  if (rows.some((part) => part.p_value !== null)) columns.push({name: 'p-value', number: true, cell: (part) => chanceText(part.p_value)});
  columns.push({name: 'Samples', number: true, cell: (part) => count(part.samples)});
  return wide('Scores', table('Mean score of each part of the data, with the first and with the best values', columns, rows));
}

/** What answers were measured by beside their scores. */
function metricsTable() {
  if (!report.metrics?.length) return null;
  const columns = [
    {name: 'Metric', cell: (row) => quoted(row[0], {}, 'span')},
    {name: 'Part', cell: (row) => partName(row[1])},
    {name: 'Before', number: true, cell: (row) => row[2] === null ? '–' : trimmed(row[2], 4)},
    {name: 'After', number: true, cell: (row) => row[3] === null ? '–' : trimmed(row[3], 4)}
  ];
  return wide('Further metrics', table('Means of further metrics, with the first and with the best values', columns, report.metrics));
}

/** What whole parts come to, with the interval of each figure. */
function figuresTable() {
  if (!report.figures?.length) return null;
  const words = (figure) => figure === null || figure[0] === null ? '–' : `${trimmed(figure[0], 3)} [${trimmed(figure[1], 3)}, ${trimmed(figure[2], 3)}]`;
  const columns = [
    {name: 'Metric', cell: (row) => quoted(row[0], {}, 'span')},
    {name: 'Part', cell: (row) => partName(row[1])},
    {name: 'Before', number: true, cell: (row) => words(row[2])},
    {name: 'After', number: true, cell: (row) => words(row[3])}
  ];
  return wide('Metrics of whole parts', table('Metrics of whole parts with their intervals of 95 %, with the first and with the best values', columns, report.figures));
}

function costText() {
  const usage = report.usage;
  if (usage.cost !== null) return dollars(usage.cost);
  return usage.known_cost > 0 ? `unknown; at least ${dollars(usage.known_cost)}` : 'unknown';
}

function facts() {
  const usage = report.usage;
  const list = [
    ['Run time', report.seconds === null ? null : duration(report.seconds)],
    ['Steps', report.steps_done === null ? null : count(report.steps_done)],
    ['Best values', report.best === null ? null : report.best === 0 ? 'the first ones' : 'after step ' + report.best],
    ['Calls', usage ? count(usage.calls) + (usage.failed ? `, ${count(usage.failed)} failed` : '') : null],
    ['Tokens', usage ? `${count(usage.input)} in, ${count(usage.output)} out` : null],
    ['Cost', usage ? costText() : null],
    ['Unknown for', usage?.cost === null && usage.unknown_models.length ? usage.unknown_models.join(', ') : null],
    ['Models', report.models.length ? report.models.map((m) => `${m.role}: ${m.provider === m.model ? m.model : m.provider + '/' + m.model}${m.endpoint ? ` at ${m.endpoint}` : ''}`).join('\n') : null],
    ['Started', report.started === null ? null : new Date(report.started * 1000).toISOString().slice(0, 16).replace('T', ' ') + ' UTC'],
    ['tgd', report.tgd]
  ].filter((fact) => fact[1] !== null && fact[1] !== undefined);
  return element('dl', {class: 'facts'}, list.map(([name, value]) => element('div', {}, element('dt', {}, name), quoted(value, {}, 'dd'))));
}

function overview() {
  const overview = document.getElementById('overview');
  document.title = report.name + ' – tgd report';
  document.getElementById('bar-name').textContent = report.name;
  document.getElementById('foot').textContent = `Written by tgd ${report.tgd ?? ''} from ${report.folder}. This file loads nothing.`;
  const ending = report.status === 'ok' && report.ending ? endings[report.ending] ?? plain(report.ending) : null;
  overview.append(
    quoted(report.name, {}, 'h1'),
    element('p', {class: 'badges'}, badge(statusNames[report.status] ?? report.status, statusClasses[report.status] ?? ''),
      report.simulated ? badge('Simulated language model', 'warn') : null, ending ? element('span', {class: 'muted'}, ending) : null),
    ...[report.error ? element('p', {class: 'notice bad'}, element('strong', {}, 'The run failed: '), quoted(report.error)) : null,
    report.status === 'unfinished' ? element('p', {class: 'notice'}, 'There is no result: the run is still going on, or it was cut off. What it left so far is shown.') : null,
    headline(),
    report.simulated ? element('p', {class: 'notice'}, 'The language model was simulated: these figures show that the loop works, not how well a language model does.') : null,
    partsTable(),
    metricsTable(),
    figuresTable(),
    report.parts.some((part) => part.p_value !== null)
      ? element('p', {class: 'hint'}, 'An interval holds the mean over all samples of that kind in 95 of 100 cases. The p-value is that of a two-sided paired test over the samples: how likely a difference as large is where there is none. Fixed samples scored better with the best values than with the first ones, broken ones worse. The best values were chosen by the validation part, so its figures flatter them; those of the test part do not.') : null,
    facts(),
    report.notes.length ? more(plural(report.notes.length, 'note') + ' on the files of this run', element('ul', {}, report.notes.map((note) => quoted(note, {}, 'li')))) : null].filter(Boolean));
}

// ---- Metrics -----------------------------------------------------------------------------------------------------------

/** What became of each step: the gate's word, or the parameters' outcomes. */
function verdicts() {
  const gates = new Map(report.gates.map((gate) => [gate[0], gate]));
  return report.versions.filter((version) => version.step > 0).map((version) => {
    const outcome = outcomeOf(version);
    const gate = gates.get(version.step);
    const reason = gate ? text(gate[2]) : null;
    return {x: version.step, outcome, label: `Step ${version.step}: ${plain(outcome)}${reason ? ' – ' + reason : ''}`,
            class: outcome === 'updated' ? 'good' : outcome === 'rejected' || outcome === 'kept' ? 'bad' : 'even',
            shape: outcome === 'updated' ? 'up' : outcome === 'rejected' || outcome === 'kept' ? 'cross' : 'dot'};
  });
}

function metrics() {
  const batch = report.steps.step.map((step, i) => [step, report.steps.score[i]]).filter((point) => point[1] !== null);
  const validation = report.validations.map((v) => [v[1], v[2]]).filter((point) => point[1] !== null);
  if (batch.length + validation.length < 2) return;
  const best = report.validations.filter((v) => v[5]).pop();
  const band = verdicts();
  const scores = [...batch, ...validation].map((point) => point[1]);
  const low = isShare ? 0 : Math.min(...scores);
  const high = isShare ? 1 : Math.max(...scores);
  const lastStep = Math.max(...batch.map((p) => p[0]), ...validation.map((p) => p[0]));
  const known = new Map();
  for (const [step, score] of batch) known.set(step, {batch: score});
  for (const [step, score] of validation) known.set(step, {...known.get(step), validation: score});
  for (const verdict of band) known.set(verdict.x, {...known.get(verdict.x), outcome: verdict.outcome});
  const stepsKnown = [...known.keys()].sort((a, b) => a - b);
  const wordsFor = (step) => {
    const {batch: b, validation: v, outcome} = known.get(step);
    return [`Step ${step}`, b === undefined ? null : `batch ${scoreText(b)}`, v === undefined ? null : `validation ${scoreText(v)}`, outcome ? plain(outcome) : null].filter(Boolean).join(' · ');
  };
  const drawn = chart({
    label: `Scores over ${plural(lastStep, 'step')}.` + (validation.length ? ` Validation went from ${scoreText(validation[0][1])} to ${scoreText(validation[validation.length - 1][1])}.` : '')
      + (best ? ` Best: ${scoreText(best[2])} after step ${best[1]}.` : '') + ' The figures are in the table below.',
    height: 300, x: [Math.min(stepsKnown[0], 1), lastStep], y: [low, high], wholeX: true, xTitle: 'Step', yTitle: `Mean ${report.metric}`,
    xText: (x) => (x === 0 ? 'start' : String(x)), yText: (y) => (isShare ? Math.round(y * 100) + '%' : trimmed(y, 3)),
    lines: [{class: 'batch', points: batch, dots: 2}, {class: 'validation', points: validation, dots: 3}],
    marks: best ? [{x: best[1], y: best[2], class: 'best', label: `Best: ${scoreText(best[2])} after step ${best[1]}`}] : [],
    band, readout: (x) => {
      const step = nearestOf(stepsKnown, (s) => s, x);
      return {x: step, text: wordsFor(step)};
    },
    hint: `Steps 1 to ${lastStep}, from left to right.`
  });
  const columns = [
    {name: 'Step', cell: (step) => (step === 0 ? 'Start' : String(step))},
    {name: 'Batch', number: true, cell: (step) => scoreText(known.get(step).batch)},
    {name: 'Validation', number: true, cell: (step) => scoreText(known.get(step).validation)}
  ];
  if (band.length) columns.push({name: 'Outcome', cell: (step) => plain(known.get(step).outcome ?? '–')});
  const shapes = new Set(band.map((mark) => mark.shape));
  show('metrics', 'Metrics', heading('metrics', 'Scores over steps'),
    legend([validation.length ? ['validation', 'line', 'Validation'] : null, batch.length ? ['batch', 'line', 'Batch, before its step'] : null, best ? ['best', 'ring', 'Best'] : null,
      shapes.has('up') ? ['good', 'up', 'New values taken'] : null, shapes.has('cross') ? ['bad', 'cross', 'Not taken'] : null, shapes.has('dot') ? ['even', 'dot', 'No change'] : null].filter(Boolean)),
    drawn.node, more('The figures as a table', pagedTable('Scores and outcome of each step', columns, stepsKnown, 50, 'steps').node));
  drawn.draw();
}
