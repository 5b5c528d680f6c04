// Races of proposals, searches by chains, and their confirmations.

function search() {
  if (report.races.length + report.searches.length === 0) return;
  const verdict = (isTaken, yes, no) => badge(isTaken ? yes : no, isTaken ? 'good' : 'bad');
  const races = report.races.flatMap((race) => race.entries.map((entry) => ({race, entry})));
  const raceColumns = [
    {name: 'Proposal', cell: ({entry}) => quoted(text(entry[0]))},
    {name: 'Samples', number: true, cell: ({entry}) => count(entry[1])},
    {name: 'Score', number: true, cell: ({entry}) => (entry[1] ? scoreText(entry[2]) : '–')},
    {name: 'Outcome', class: 'text', cell: ({race, entry}) => element('div', {}, entry[4] ? verdict(race.accepted, 'taken', 'best, not taken') : element('span', {class: 'muted'}, 'not taken'),
      text(entry[3]) ? quoted(' ' + text(entry[3])) : null)}
  ];
  const tried = report.searches.flatMap((step) => step.proposals.map((proposal) => ({step, proposal})));
  const triedColumns = [
    {name: 'Step', cell: ({step}) => element('span', {}, String(step.step))},
    {name: 'Step of its chain', number: true, cell: ({step}) => count(step.chain_step)},
    {name: 'Aim', cell: ({proposal}) => quoted(text(proposal[0]))},
    {name: 'Samples', number: true, cell: ({proposal}) => count(proposal[1])},
    {name: 'Gain', number: true, cell: ({proposal}) => (proposal[1] ? gainText(0, proposal[2]) : '–')},
    {name: 'Outcome', class: 'text', cell: ({proposal}) => (text(proposal[3]) ? element('div', {}, element('span', {class: 'muted'}, 'not taken: '), quoted(text(proposal[3]))) : badge('taken', 'good'))}
  ];
  const raced = report.searches.filter((step) => step.race);
  const racedColumns = [
    {name: 'After step', cell: (step) => String(step.step)},
    {name: 'Steps of the chain', number: true, cell: ({race}) => count(race.steps)},
    {name: 'Samples', number: true, cell: ({race}) => count(race.samples)},
    {name: 'Before', number: true, cell: ({race}) => scoreText(race.before)}, {name: 'After', number: true, cell: ({race}) => scoreText(race.after)},
    {name: 'Fixed', number: true, cell: ({race}) => count(race.won)}, {name: 'Broken', number: true, cell: ({race}) => count(race.lost)},
    {name: 'Evidence', number: true, cell: ({race}) => trimmed(race.evidence, 3)},
    {name: 'Outcome', cell: ({race}) => verdict(race.accepted, 'taken', 'not taken')}
  ];
  const confirmed = report.searches.filter((step) => step.confirmation);
  const confirmedColumns = [
    {name: 'After step', cell: (step) => String(step.step)},
    {name: 'Samples', number: true, cell: ({confirmation}) => count(confirmation.samples)},
    {name: 'Before', number: true, cell: ({confirmation}) => scoreText(confirmation.before)}, {name: 'After', number: true, cell: ({confirmation}) => scoreText(confirmation.after)},
    {name: 'p-value', number: true, cell: ({confirmation}) => chanceText(confirmation.p_value)},
    {name: 'Outcome', cell: ({confirmation}) => element('div', {}, verdict(confirmation.confirmed, 'confirmed', 'not confirmed'),
      element('span', {class: 'muted'}, confirmation.kept ? ' the new values are kept' : ' the first values are kept'))}
  ];
  show('search', 'Search', heading('search', 'Races and confirmations'),
    ...(races.length ? [element('h3', {}, 'First proposals'), element('p', {class: 'hint'}, 'Tried before the first step: all on an eighth of the validation part, the better half on a quarter, the best one on all of it.'),
      wide('First proposals', table('How the first proposals did', raceColumns, races))] : []),
    ...(raced.length ? [element('h3', {}, 'Chains'), element('p', {class: 'hint'}, 'Each chain of steps against the values that it began with, on samples of the validation part. Evidence is how many times a bet on the chain has multiplied: beyond a bound, whenever it is looked at, the chain is taken.'),
      wide('Chains', table('What each race came to', racedColumns, raced))] : []),
    ...(confirmed.length ? [element('h3', {}, 'Confirmation'), element('p', {class: 'hint'}, 'The last version against the first values, on samples that no choice has seen.'),
      wide('Confirmations', table('Whether the gain is confirmed', confirmedColumns, confirmed))] : []),
    ...(tried.length ? [more(`Proposals of the steps (${count(tried.length)})`, pagedTable('What each step tried', triedColumns, tried, 30, 'proposals').node)] : []));
}
