// Runs side by side: what they came to, and what made the difference.

const runName = (run) => run.folder.replace(/\/+$/, '').split('/').pop() || run.folder;
const first = report.runs[0];
const runAt = (folder) => report.runs.find((run) => run.folder === folder);

function runsTable() {
  const parts = [...new Set(report.runs.flatMap((run) => run.parts.map((part) => part.part)))];
  const columns = [
    {name: 'Run', cell: (run) => element('div', {}, quoted(runName(run)), run.simulated ? element('span', {class: 'muted'}, ' simulated') : null)},
    {name: 'Ended', cell: (run) => badge(statusNames[run.status] ?? run.status, statusClasses[run.status] ?? '')},
    {name: 'Models', cell: (run) => quoted(run.models || '–')},
    ...parts.map((name) => ({name: partName(name), number: true, cell: (run) => {
      const part = run.parts.find((p) => p.part === name);
      if (!part) return '–';
      return element('div', {}, element('span', {class: 'muted'}, scoreText(part.first) + ' → '), element('strong', {}, scoreText(part.best)),
        part.interval ? element('div', {class: 'muted'}, intervalText(part.interval)) : null);
    }})),
    {name: 'Calls', number: true, cell: (run) => (run.calls === null ? '–' : count(run.calls))},
    {name: 'Tokens in', number: true, cell: (run) => (run.input_tokens === null ? '–' : count(run.input_tokens))},
    {name: 'Tokens out', number: true, cell: (run) => (run.output_tokens === null ? '–' : count(run.output_tokens))},
    {name: 'Cost', number: true, cell: (run) => dollars(run.cost_usd)},
    {name: 'Time', number: true, cell: (run) => duration(run.seconds)},
    {name: 'Started', cell: (run) => (run.started === null ? '–' : new Date(run.started * 1000).toISOString().slice(0, 16).replace('T', ' ') + ' UTC')}
  ];
  return wide('Runs', table('What each run came to: the mean score of each part with the first and the best values, and where it lies in 95 of 100 cases', columns, report.runs));
}

function pairsTable(comparison) {
  const columns = [
    {name: 'Part', cell: (part) => partName(part.part)},
    {name: 'Shared samples', number: true, cell: (part) => count(part.shared)},
    {name: runName(first), number: true, cell: (part) => scoreText(part.first)},
    {name: runName(runAt(comparison.run)), number: true, cell: (part) => element('strong', {}, scoreText(part.other))},
    {name: 'Difference', number: true, cell: (part) => gainText(part.first, part.other)},
    {name: '95 % interval', number: true, cell: (part) => (part.interval ? `${gainText(0, part.interval[0])} – ${gainText(0, part.interval[1])}` : '–')},
    {name: 'p-value', number: true, cell: (part) => chanceText(part.p_value)},
    {name: 'Won', number: true, cell: (part) => count(part.won)}, {name: 'Lost', number: true, cell: (part) => count(part.lost)}
  ];
  return wide('Scores on shared samples', table('Mean scores on the samples that both runs have measured', columns, comparison.parts));
}

const settingText = (value) => (value === null ? element('span', {class: 'muted'}, 'not set') : quoted(typeof value === 'string' ? value : JSON.stringify(value)));

function settings(comparison) {
  if (comparison.settings.length === 0) return element('p', {class: 'muted'}, 'No setting differs.');
  const columns = [{name: 'Setting', cell: (row) => row.setting}, {name: runName(first), class: 'text', cell: (row) => settingText(row.first)},
                   {name: runName(runAt(comparison.run)), class: 'text', cell: (row) => settingText(row.other)}];
  return wide('Settings that differ', table('Settings that differ, by their place in the task', columns, comparison.settings));
}

const prompts = (comparison) => comparison.prompts.map((prompt) => element('div', {class: 'parameter'},
  element('div', {class: 'parameter-head'}, quoted(prompt.parameter, {}, 'h4'),
    element('span', {class: 'muted'}, prompt.added + prompt.gone === 0 ? 'no difference' : `+${count(prompt.added)} −${count(prompt.gone)} words`)),
  partsView(prompt.changes)));

function samples(comparison) {
  if (comparison.won.length + comparison.lost.length === 0) return element('p', {class: 'muted'}, 'No shared sample scored differently.');
  const answer = (side) => element('div', {class: 'answer'}, element('span', {class: 'score'}, scoreText(side.score)),
    side.prediction === null ? element('em', {class: 'muted'}, 'failed') : quoted(side.prediction || '(empty)', {class: 'clip'}));
  const columns = [
    {name: 'Part', class: 'part-name', cell: (sample) => partName(sample.part)}, {name: 'Row', class: 'row-number', cell: (sample) => '#' + sample.row}, {name: 'Input', class: 'text', cell: (sample) => quoted(sample.input, {class: 'clip'}, 'div')},
    {name: 'Expected', class: 'label', cell: (sample) => quoted(sample.target ?? '–', {class: 'clip'}, 'div')},
    {name: runName(first), class: 'label', cell: (sample) => answer(sample.first)}, {name: runName(runAt(comparison.run)), class: 'label', cell: (sample) => answer(sample.other)}
  ];
  const rows = {won: comparison.won, lost: comparison.lost};
  const shown = pagedTable('Shared samples that scored differently', columns, rows.won, 20, 'samples', {class: 'stacked samples'});
  const buttons = switcher('Samples', [['won', `Won (${count(rows.won.length)})`], ['lost', `Lost (${count(rows.lost.length)})`]], 'won', (key) => shown.set(rows[key]));
  return element('div', {}, element('div', {class: 'controls'}, buttons), shown.node);
}

function overview() {
  document.title = `${plural(report.runs.length, 'run')} compared – tgd`;
  document.getElementById('bar-name').textContent = 'Comparison';
  document.getElementById('foot').textContent = `Written by tgd from ${report.runs.map((run) => run.folder).join(', ')}. This file loads nothing.`;
  document.getElementById('overview').append(element('h1', {}, plural(report.runs.length, 'run') + ' compared'), runsTable(),
    element('p', {class: 'hint'}, 'Below a score: where the mean over all samples of that kind lies in 95 of 100 cases. The best values were chosen by the validation part, so its figures flatter them; those of the test part do not.'),
    ...report.notes.map((note) => quoted(note, {class: 'notice'}, 'p')));
}

overview();
report.comparisons.forEach((comparison, i) => {
  const id = 'run-' + (i + 1);
  const name = runName(runAt(comparison.run));
  document.getElementById('content').append(element('section', {id, 'aria-labelledby': id + '-title', hidden: true}));
  show(id, name, heading(id, element('span', {}, quoted(name), ' against ', quoted(runName(first)))),
    ...(comparison.parts.length ? [element('h3', {}, 'Scores on shared samples'), pairsTable(comparison),
      element('p', {class: 'hint'}, 'The p-value is that of a two-sided paired test over the shared samples: how likely a difference as large is where there is none.')] : []),
    element('h3', {}, 'Settings that differ'), settings(comparison), element('h3', {}, 'Best prompts, word by word'), ...prompts(comparison),
    element('h3', {}, 'Samples'), samples(comparison));
});
