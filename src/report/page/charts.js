// Line charts in SVG, drawn at the width they have, so that letters keep their size on phones.

const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

/** About `wanted` round values from `low` to `high`; of times those that are round on a clock. */
function ticks(low, high, wanted, isTime = false) {
  const rough = (high - low) / Math.max(1, wanted) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const sizes = isTime && rough >= 1 ? timeSteps : [1, 2, 5, 10].map((factor) => factor * power);
  const step = sizes.find((size) => size >= rough * 0.999) ?? 10 * power;
  const values = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) values.push(i * step + 0);  // never -0
  return values;
}

/**
 * chart({label, height, x: [low, high], y: [low, high], xText, yText, lines, marks, band, readout})
 *   lines: [{class, points: [[x, y]], dots?, area?}]   marks: [{x, y, class, label}]
 *   band:  [{x, class, shape, label}] shown in a strip below the lines
 *   wholeX, isTime: which values of x are round
 *   xTitle, yTitle: what stands at the axes
 *   readout(x): what stands at the nearest x, shown below the chart while the pointer is over it
 */
function chart(options) {
  const holder = element('div', {class: 'chart'});
  const line = element('p', {class: 'readout', 'aria-live': 'polite'}, options.hint ?? '');
  const draw = (width) => holder.replaceChildren(drawing(options, Math.max(240, width || holder.clientWidth || 640), line));
  addEventListener('beforeprint', () => draw(printedWidth));
  addEventListener('afterprint', () => draw());
  // The first drawing happens before the page is shown: nothing moves later.
  requestAnimationFrame(() => new ResizeObserver(([entry]) => {
    if (entry.contentRect.width > 0 && Math.abs(entry.contentRect.width - holder.firstChild.viewBox.baseVal.width) >= 1) draw();
  }).observe(holder));
  return {node: element('div', {}, holder, line), draw};
}

/** Of a sheet of A4 between its margins. */
const printedWidth = 680;

function drawing(options, width, readout) {
  const height = options.height ?? 240;
  const band = options.band?.length ? 26 : 0;
  const box = {left: 44, right: width - 12, top: options.yTitle ? 26 : 10, bottom: height - (options.xTitle ? 44 : 26) - band};
  const [x0, x1] = options.x[0] === options.x[1] ? [options.x[0] - 1, options.x[1] + 1] : options.x;
  const [y0, y1] = options.y[0] === options.y[1] ? [options.y[0] - 0.5, options.y[1] + 0.5] : options.y;
  const px = (x) => box.left + ((x - x0) / (x1 - x0)) * (box.right - box.left);
  const py = (y) => box.bottom - ((y - y0) / (y1 - y0)) * (box.bottom - box.top);
  const place = (x, y) => `${px(x).toFixed(1)} ${py(y).toFixed(1)}`;

  const svg = element('svg', {viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': options.label});
  for (const y of ticks(y0, y1, 4)) {
    svg.append(element('line', {class: 'grid', x1: box.left, x2: box.right, y1: py(y), y2: py(y)}),
               element('text', {class: 'tick', x: box.left - 8, y: py(y) + 4, 'text-anchor': 'end'}, options.yText(y)));
  }
  for (const x of ticks(x0, x1, Math.max(2, Math.floor((box.right - box.left) / 90)), options.isTime)) {
    if (options.wholeX && x !== Math.round(x)) continue;
    svg.append(element('text', {class: 'tick', x: px(x), y: height - (options.xTitle ? 24 : 6), 'text-anchor': 'middle'}, options.xText(x)));
  }
  if (options.yTitle) svg.append(element('text', {class: 'tick axis', x: 2, y: 12}, options.yTitle));
  if (options.xTitle) svg.append(element('text', {class: 'tick axis', x: (box.left + box.right) / 2, y: height - 6, 'text-anchor': 'middle'}, options.xTitle));
  for (const {class: name, points, dots, area} of options.lines) {
    if (points.length === 0) continue;
    const path = points.map((point, i) => (i === 0 ? 'M' : 'L') + place(...point)).join('');
    if (area) svg.append(element('path', {class: 'area ' + name, d: `${path}L${place(points[points.length - 1][0], y0)}L${place(points[0][0], y0)}Z`}));
    svg.append(element('path', {class: 'curve ' + name, d: path}));
    if (dots && points.length <= (box.right - box.left) / 8) {
      svg.append(...points.map(([x, y]) => element('circle', {class: 'dot ' + name, cx: px(x), cy: py(y), r: dots})));
    }
  }
  for (const mark of options.marks ?? []) {
    svg.append(element('circle', {class: 'mark ' + mark.class, cx: px(mark.x), cy: py(mark.y), r: 6.5}, element('title', {}, mark.label)));
  }
  for (const mark of options.band ?? []) {
    svg.append(element('path', {class: 'band ' + mark.class, d: bandShapes[mark.shape], transform: `translate(${px(mark.x).toFixed(1)} ${box.bottom + 15})`},
                       element('title', {}, mark.label)));
  }
  if (options.readout) follow(svg, box, (at) => x0 + ((at - box.left) / (box.right - box.left)) * (x1 - x0), px, options, readout);
  return svg;
}

const bandShapes = {up: 'M-4 3.5L0 -4L4 3.5Z', cross: 'M-3.5 -3.5L3.5 3.5M3.5 -3.5L-3.5 3.5', dot: 'M-1.5 0A1.5 1.5 0 1 1 1.5 0A1.5 1.5 0 1 1 -1.5 0Z'};

/** The values below the chart, of what is nearest to the pointer; arrow keys go from one to the next. */
function follow(svg, box, valueAt, px, options, readout) {
  const guide = element('line', {class: 'guide', y1: box.top, y2: box.bottom, visibility: 'hidden'});
  svg.append(guide);
  let place = box.left;
  function showAt(at) {
    const found = options.readout(valueAt(at));
    if (!found) return null;
    place = px(found.x);
    guide.setAttribute('x1', place);
    guide.setAttribute('x2', place);
    guide.setAttribute('visibility', 'visible');
    readout.textContent = found.text;
    return found.x;
  }
  function leave() {
    guide.setAttribute('visibility', 'hidden');
    readout.textContent = options.hint ?? '';
  }
  svg.addEventListener('pointermove', (event) => showAt(event.clientX - svg.getBoundingClientRect().left));
  svg.addEventListener('pointerleave', leave);
  svg.setAttribute('tabindex', '0');
  svg.addEventListener('keydown', (event) => {
    if (event.key === 'Home') showAt(box.left);
    else if (event.key === 'End') showAt(box.right);
    else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
      const way = event.key === 'ArrowRight' ? 1 : -1;
      const from = guide.getAttribute('visibility') === 'visible' ? options.readout(valueAt(place))?.x : undefined;
      // The next one may be far off, or only a part of a pixel.
      for (let at = place; at >= box.left && at <= box.right; at += way) if (showAt(at) !== from) break;
    } else return;
    event.preventDefault();
  });
  svg.addEventListener('blur', leave);
}

/** The element of `sorted` whose key is nearest to `value`. */
function nearestOf(sorted, key, value) {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(sorted[middle]) < value) low = middle + 1;
    else high = middle;
  }
  return low > 0 && value - key(sorted[low - 1]) < key(sorted[low]) - value ? sorted[low - 1] : sorted[low];
}

const legend = (entries) => element('ul', {class: 'legend'}, entries.map(([name, shape, label]) =>
  element('li', {}, element('svg', {viewBox: '-9 -7 18 14', width: 18, height: 14, 'aria-hidden': 'true'}, shape === 'line' ? element('path', {class: 'curve ' + name, d: 'M-8 0L8 0'})
    : shape === 'ring' ? element('circle', {class: 'mark ' + name, r: 5}) : element('path', {class: 'band ' + name, d: bandShapes[shape]})), label)));
