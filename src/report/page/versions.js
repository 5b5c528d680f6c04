// The prompt's versions: what changed, why, and what it did to the samples.

const stepIndex = new Map(report.versions.map((version, i) => [version.step, i]));
const gateAt = new Map(report.gates.map((gate) => [gate[0], gate]));
const batchAt = new Map(report.steps.step.map((step, i) => [step, report.steps.score[i]]));

/** One word for all parameters of a step: the most eventful outcome. */
const byWeight = ['rejected', 'updated', 'kept', 'unchanged', 'no_feedback'];
function outcomeOf(version) {
  if (version.step === 0) return 'first';
  const gate = gateAt.get(version.step);
  if (gate && !gate[1] && version.of.some((update) => update.outcome === 'rejected' || update.outcome === 'updated')) return 'rejected';
  return byWeight.find((outcome) => version.of.some((update) => update.outcome === outcome)) ?? 'unchanged';
}
const outcomeClass = {updated: 'good', rejected: 'bad', kept: 'warn', first: '', unchanged: '', no_feedback: ''};
const outcomeBadge = (outcome) => explained(badge(plain(outcome), outcomeClass[outcome]), outcomeMeanings[outcome]);
const valueAt = (version, parameter) => text(version.of[parameter].value) ?? '';
const stepName = (step) => (step === 0 ? 'First values' : 'Step ' + step);
const editsOf = (version) => version.of.reduce((sum, update) => sum + (update.edits ?? 0), 0);

const isChange = (version) => version.step === 0 || outcomeOf(version) !== 'rejected' && version.of.some((update) => update.outcome === 'updated');

/** Values last until the next change; what is measured in a step without one was measured with them. */
const lastStepOf = new Map();
[...report.versions].reverse().reduce((last, version) => {
  lastStepOf.set(version.step, isChange(version) ? last : version.step);
  return isChange(version) ? version.step - 1 : last;
}, Infinity);
const belongsTo = (step, version) => step >= version.step && step <= lastStepOf.get(version.step);
const validationOf = (version) => report.validations.find((v) => belongsTo(v[1], version))?.[2];

/** Opens a version from elsewhere in the page; set by versions(). */
let openVersion = () => {};

function gateText(gate) {
  const parts = [];
  if (gate[4] !== null) parts.push(`batch ${scoreText(gate[4])} → ${scoreText(gate[5])}`);
  if (gate[6] !== null) parts.push(gate[7] === null ? `validation ${scoreText(gate[6])}, not tried to the end` : `validation ${scoreText(gate[6])} → ${scoreText(gate[7])}`);
  if (gate[8] !== null && gate[8] !== undefined) parts.push(chanceText(gate[8]));
  if (gate[3] > 1) parts.push(`best of ${gate[3]} proposals`);
  return parts.join(', ');
}

const feedbackList = (items) => element('ol', {class: 'feedback'}, items.map((index) => element('li', {}, quoted(text(index), {}, 'div'))));
const problemList = (problems) => element('ul', {class: 'problems'}, problems.map(([problem, reason]) =>
  element('li', {}, capital(meaningOf(problemMeanings, problem)), text(reason) ? [element('span', {class: 'muted'}, '; the model was told: '), quoted(text(reason))] : '.')));

function versions() {
  if (report.versions.length === 0) return;
  const changes = report.versions.filter(isChange);
  const notTaken = report.versions.filter((version) => version.step > 0 && version.of.some((update) => update.outcome === 'rejected' || update.outcome === 'kept'));
  const best = report.best === null ? null : changes.find((version) => belongsTo(report.best, version));

  let shown = changes;
  let selected = best ?? changes[changes.length - 1];
  let against = 'first';
  let view = 'diff';

  const list = element('div', {class: 'version-list', role: 'tablist', 'aria-orientation': 'vertical', 'aria-label': 'Versions; arrow keys go from one to the next', onkeydown: byKeys});
  const panel = element('div', {class: 'version-panel', role: 'tabpanel', id: 'version-panel', tabindex: '-1'});
  const pager = pages(40, (rows) => list.replaceChildren(...rows.map(tab)), 'versions');

  function tab(version) {
    const outcome = outcomeOf(version);
    const score = validationOf(version) ?? gateAt.get(version.step)?.[7];
    const isSelected = version === selected;
    return element('button', {type: 'button', role: 'tab', id: 'version-' + version.step, 'aria-selected': String(isSelected), 'aria-controls': 'version-panel',
                              tabindex: isSelected ? '0' : '-1', onclick: () => select(version, true)},
      element('span', {class: 'version-step'}, stepName(version.step), version === best ? element('span', {class: 'star', title: 'Best'}, ' ★', element('span', {class: 'sr'}, ' best')) : null),
      element('span', {class: 'number'}, score === undefined || score === null ? '' : scoreText(score)),
      element('span', {class: 'version-outcome'}, outcomeBadge(outcome), editsOf(version) ? element('span', {class: 'muted'}, plural(editsOf(version), 'word')) : null));
  }

  function byKeys(event) {
    const move = {ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity}[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const at = shown.indexOf(selected);
    select(shown[Math.min(shown.length - 1, Math.max(0, at + move))], true);
  }

  function select(version, focus = false) {
    selected = version;
    if (!shown.includes(version)) shown = report.versions;
    pager.set(shown, shown.indexOf(version));
    ensureFocusable();
    drawPanel();
    const button = document.getElementById('version-' + version.step);
    if (focus && button) {
      button.focus({preventScroll: true});
      reveal(button);
    }
  }
  /** Scrolls the list and nothing else. */
  function reveal(button) {
    if (!button) return;
    const [top, bottom] = [button.offsetTop, button.offsetTop + button.offsetHeight];
    if (top < list.scrollTop || bottom > list.scrollTop + list.clientHeight) list.scrollTop = top - list.clientHeight / 3;
  }
  /** Tab must find a way in when the chosen version is on another page. */
  function ensureFocusable() {
    if (list.firstChild && !list.querySelector('[tabindex="0"]')) list.firstChild.setAttribute('tabindex', '0');
  }

  const at = () => stepIndex.get(selected.step);
  function base() {
    if (against === 'first') return report.versions[0];
    if (against === 'before') return report.versions[Math.max(0, at() - 1)];
    return report.versions[stepIndex.get(against)];
  }

  function drawPanel() {
    const outcome = outcomeOf(selected);
    const gate = gateAt.get(selected.step);
    panel.setAttribute('aria-labelledby', 'version-' + selected.step);
    const facts = [
      selected.step > 0 ? `Epoch ${selected.epoch}` : null,
      batchAt.has(selected.step) ? `batch ${scoreText(batchAt.get(selected.step))} before the step` : null,
      validationOf(selected) === undefined ? null : `validation ${scoreText(validationOf(selected))}`,
      selected.seconds !== null ? `${duration(selected.seconds)} into the run` : null
    ].filter(Boolean).join(' · ');
    const options = [['first', 'the first values'], ['before', 'the version before'],
                     ...changes.filter((version) => version.step > 0 && version !== selected).map((version) => [version.step, stepName(version.step)])];
    panel.replaceChildren(...[
      element('h3', {}, stepName(selected.step), ' ', outcomeBadge(outcome), selected === best ? badge('best', 'accent') : null),
      facts ? element('p', {class: 'muted'}, facts) : null,
      gate ? element('p', {}, element('strong', {}, gate[1] ? 'Gate: taken. ' : 'Gate: not taken. '), text(gate[2]) ? quoted(text(gate[2])) : null, text(gate[2]) ? ' ' : null,
                     element('span', {class: 'muted'}, `(${gateText(gate)})`)) : null,
      element('div', {class: 'controls'},
        switcher('View', [['diff', 'Changes'], ['text', 'Text']], view, (key) => { view = key; drawPanel(); panel.querySelector('[aria-pressed="true"]').focus(); }),
        view === 'diff' ? choice('compared with', options, against, (key) => { against = key; drawPanel(); panel.querySelector('select').focus(); }) : null),
      ...report.parameters.map((parameter, i) => parameterView(parameter, i)).filter(Boolean),
      samplesView(), batchView()].filter(Boolean));
  }

  function parameterView(parameter, i) {
    const update = selected.of[i];
    const isProposal = update.proposal !== null && update.proposal !== undefined;
    const after = isProposal ? text(update.proposal) : valueAt(selected, i);
    const before = valueAt(base(), i);
    const counts = view === 'diff' ? diffCounts(before, after) : null;
    const changed = counts === null ? '' : counts.added + counts.gone === 0 ? 'no difference' : `+${count(counts.added)} −${count(counts.gone)} words`;
    return element('div', {class: 'parameter'},
      element('div', {class: 'parameter-head'}, quoted(parameter.name, {class: 'parameter-name'}, 'h4'),
        isProposal ? badge('proposal, not taken', 'bad') : null, element('span', {class: 'muted'}, changed),
        element('button', {type: 'button', class: 'quiet', onclick: (event) => copy(after, event.target)}, 'Copy')),
      view === 'diff' ? diffView(before, after) : quoted(after || '(empty)', {class: 'prompt' + (after ? '' : ' muted')}, 'div'),
      text(update.reason) ? element('p', {}, element('strong', {}, 'Why it was not taken: '), quoted(text(update.reason))) : null,
      update.problems.length ? more(`Asked again ${update.problems.length === 1 ? 'once' : update.problems.length + ' times'}`, problemList(update.problems)) : null,
      update.feedback.length ? more(`Feedback that led to it (${update.feedback.length})`, feedbackList(update.feedback)) : null);
  }

  function samplesView() {
    const lines = [];
    for (const measured of report.measured) {
      const now = measured.at.findIndex((m) => belongsTo(m[0], selected));
      if (now < 1) continue;
      const line = (before, label) => {
        const change = changesBetween(measured, measured.at[before], measured.at[now]);
        const go = (filter) => showSamples({part: measured.part, before: measured.at[before][0], after: measured.at[now][0], filter});
        return element('li', {}, `${partName(measured.part)}, ${label}: `, element('button', {type: 'button', class: 'link', onclick: () => go('better')}, `${count(change.better)} fixed`), ', ',
                       element('button', {type: 'button', class: 'link', onclick: () => go('worse')}, `${count(change.worse)} broken`));
      };
      if (now > 1) lines.push(line(now - 1, 'against ' + stepName(measured.at[now - 1][0]).toLowerCase()));
      lines.push(line(0, 'against the first values'));
    }
    return lines.length ? element('div', {}, element('h4', {}, 'Samples'), element('ul', {class: 'plain'}, lines)) : null;
  }

  /** The samples that the step learned from, with what came and what the evaluator said of it. */
  function batchView() {
    if (!selected.batch) return null;
    const [rows, predictions, scores, replies, said] = selected.batch;
    const train = report.measured.find((m) => m.part === 'train');
    const right = scores.filter((score) => isFull(score)).length;
    const inputOf = (row) => text(train?.inputs[train.rows.indexOf(row)] ?? -1) ?? '';
    const columns = [
      {name: 'Row', class: 'row-number', cell: (i) => rowName(train, rows[i])},
      {name: 'Input', class: 'text', cell: (i) => quoted(inputOf(rows[i]), {class: 'clip'}, 'div')},
      {name: 'Reply', class: 'text', cell: (i) => quoted(text(replies[rows[i]]) ?? text(predictions[i]) ?? 'failed', {class: 'clip'}, 'div')},
      {name: 'Score', number: true, cell: (i) => scoreText(scores[i])},
      {name: 'Feedback of the evaluator', class: 'text', cell: (i) => (text(said[rows[i]]) ? quoted(text(said[rows[i]]), {class: 'clip'}, 'div') : '–')}
    ];
    const order = [...rows.keys()].sort((a, b) => isFull(scores[a]) - isFull(scores[b]));
    return more(`Samples of its batch (${count(right)} of ${count(rows.length)} with the full score)`,
                pagedTable('What the step learned from', columns, order, 20, 'samples', {class: 'stacked'}).node);
  }

  const tabsOf = {changes, all: report.versions, not: notTaken};
  const filters = [['changes', `Changes (${count(changes.length)})`], notTaken.length ? ['not', `Not taken (${count(notTaken.length)})`] : null, ['all', `All steps (${count(report.versions.length)})`]].filter(Boolean);
  const filter = switcher('Versions', filters, 'changes', (key) => {
    shown = tabsOf[key];
    if (!shown.includes(selected)) selected = shown[0];
    select(selected);
  });
  show('versions', 'Versions', heading('versions', report.parameters.length === 1 ? 'Versions of the prompt' : 'Versions of the prompts'),
       element('div', {class: 'controls'}, filter), element('div', {class: 'versions'}, element('div', {}, list, pager.controls), panel));
  select(selected);
  reveal(document.getElementById('version-' + selected.step));
  openVersion = (step) => {
    against = 'before';
    select(report.versions[stepIndex.get(step)]);
    document.getElementById('versions').scrollIntoView();
    const button = document.getElementById('version-' + step);
    button?.focus({preventScroll: true});
    reveal(button);
  };
}

async function copy(value, button) {
  try {
    await navigator.clipboard.writeText(value);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'Not allowed here';
  }
  setTimeout(() => { button.textContent = 'Copy'; }, 1600);
}

// ---- What was not taken --------------------------------------------------------------------------------------------------

function notTaken() {
  const rows = report.versions.filter((version) => version.step > 0).flatMap((version) => version.of.map((update, i) => ({version, update, parameter: report.parameters[i], gate: gateAt.get(version.step)})))
    .filter(({update}) => update.outcome === 'rejected' || update.outcome === 'kept' || update.problems.length > 0);
  if (rows.length === 0) return;
  const columns = [
    {name: 'Step', cell: ({version}) => element('button', {type: 'button', class: 'link', onclick: () => openVersion(version.step), 'aria-label': 'Open step ' + version.step}, String(version.step))},
    {name: 'Parameter', cell: ({parameter}) => quoted(parameter.name)},
    {name: 'Outcome', cell: ({update}) => outcomeBadge(update.outcome)},
    {name: 'Reason', class: 'text', cell: ({update, gate}) => {
      const reason = text(update.reason) ?? (gate && !gate[1] ? text(gate[2]) : null);
      return element('div', {}, reason ? quoted(reason, {}, 'div') : null, gate && update.outcome === 'rejected' ? element('div', {class: 'muted'}, gateText(gate)) : null,
                     update.problems.length ? problemList(update.problems) : null);
    }}
  ];
  if (report.parameters.length === 1) columns.splice(1, 1);
  const counts = {};
  for (const {update} of rows) for (const [problem] of update.problems) counts[problem] = (counts[problem] ?? 0) + 1;
  const totals = Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([problem, times]) => `${meaningOf(problemMeanings, problem)} (${count(times)}×)`).join(', ');
  show('not-taken', 'Not taken', heading('not-taken', 'Not taken and asked again'),
    element('p', {class: 'hint'}, 'Proposals that the gate rejected, values that stayed because no reply could be used, and replies that had to be asked for again.' + (totals ? ` Reasons for asking again: ${totals}.` : '')),
    pagedTable('Proposals that were not taken and replies that were asked for again', columns, rows, 10, 'entries', {class: 'stacked'}).node);
}
