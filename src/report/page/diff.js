// Word-level differences between two texts.

/** Words with the white space behind them; line breaks are words of their own, so that changed lines stay apart. */
const wordsOf = (value) => value.match(/\n|[^\S\n]+|[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]/gu) ?? [];

const mostCells = 4e6;

/** [['same' | 'gone' | 'new', items], …] by the longest common subsequence; null where the table would be too large. */
function commonParts(before, after) {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) ++start;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before[before.length - 1 - end] === after[after.length - 1 - end]) ++end;
  const a = before.slice(start, before.length - end);
  const b = after.slice(start, after.length - end);
  if ((a.length + 1) * (b.length + 1) > mostCells) return null;

  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; --i) {
    for (let j = b.length - 1; j >= 0; --j) {
      lengths[i * width + j] = a[i] === b[j] ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const parts = [];
  const add = (kind, item) => {
    if (parts.length === 0 || parts[parts.length - 1][0] !== kind) parts.push([kind, []]);
    parts[parts.length - 1][1].push(item);
  };
  for (let k = 0; k < start; ++k) add('same', before[k]);
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add('same', a[i++]);
      ++j;
    } else if (i < a.length && (j === b.length || lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])) {
      add('gone', a[i++]);
    } else {
      add('new', b[j++]);
    }
  }
  for (let k = before.length - end; k < before.length; ++k) add('same', before[k]);
  return parts;
}

/** A blank between two changes would tear them into crumbs. */
function joined(parts) {
  const result = [];
  let gone = '';
  let added = '';
  const flush = () => {
    if (gone) result.push(['gone', gone]);
    if (added) result.push(['new', added]);
    gone = added = '';
  };
  parts.forEach(([kind, items], i) => {
    const value = items.join('');
    if (kind === 'gone') gone += value;
    else if (kind === 'new') added += value;
    else if (/^[^\S\n]+$/.test(value) && gone && added && i + 1 < parts.length) {
      gone += value;
      added += value;
    } else {
      flush();
      result.push(['same', value]);
    }
  });
  flush();
  return result;
}

/** [['same' | 'gone' | 'new', text], …]. Very long texts are compared by lines, and beyond that as wholes. */
function wordDiff(before, after) {
  if (before === after) return before ? [['same', before]] : [];
  const lines = (value) => value.split(/(?<=\n)/);
  const parts = commonParts(wordsOf(before), wordsOf(after)) ?? commonParts(lines(before), lines(after)) ?? [['gone', [before]], ['new', [after]]];
  return joined(parts);
}

/** Unchanged stretches beyond this many characters are folded, but for what stands next to a change. */
const longestStretch = 600;
const keptAtEdges = 200;

function folded(value, isFirst, isLast) {
  if (value.length <= longestStretch) return [value];
  const head = isFirst ? 0 : keptAtEdges;
  const tail = isLast ? 0 : keptAtEdges;
  const from = head === 0 ? 0 : value.indexOf(' ', head) + 1 || head;
  const to = tail === 0 ? value.length : value.lastIndexOf(' ', value.length - tail) + 1 || value.length - tail;
  if (to - from < longestStretch / 2) return [value];
  const hidden = value.slice(from, to);
  const button = element('button', {type: 'button', class: 'fold', onclick: () => button.replaceWith(hidden)},
                         `… ${plural((hidden.match(/\S+/g) ?? []).length, 'unchanged word')} …`);
  return [value.slice(0, from), button, value.slice(to)];
}

const diffView = (before, after) => partsView(wordDiff(before, after));

/** [['same' | 'gone' | 'new', text], …] with what changed marked. */
function partsView(parts) {
  if (parts.length === 0) return quoted('(empty)', {class: 'prompt muted'}, 'div');
  const isSame = parts.every((part) => part[0] === 'same');
  return quoted('', {class: 'prompt'}, 'div').appendChild(element('div', {}, parts.flatMap(([kind, value], i) => {
    if (kind === 'gone') return element('del', {}, value);
    if (kind === 'new') return element('ins', {}, value);
    return isSame ? [value] : folded(value, i === 0, i === parts.length - 1);
  }))).parentNode;
}

function diffCounts(before, after) {
  const words = (kind) => wordDiff(before, after).filter((part) => part[0] === kind).reduce((sum, part) => sum + (part[1].match(/\S+/g) ?? []).length, 0);
  return {gone: words('gone'), added: words('new')};
}
