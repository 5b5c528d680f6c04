// What a person would check in the page of a comparison; see report_check.js.

const failures = [];
const check = (isFine, what) => { if (!isFine) failures.push(what); };

function checkCells(when) {
  check(document.documentElement.scrollWidth <= innerWidth, `${when}: the page is ${document.documentElement.scrollWidth} wide in ${innerWidth}`);
  for (const cell of document.querySelectorAll('.samples td, .samples th')) {
    check(cell.clientWidth === 0 || cell.scrollWidth <= cell.clientWidth + 1, `${when}: "${cell.textContent}" lies over its neighbour`);
  }
}

requestAnimationFrame(() => setTimeout(async () => {
  try {
    check(document.querySelectorAll('section:not([hidden]) h2').length === 1, 'a section for the other run');
    checkCells('won');
    for (const button of document.querySelectorAll('.switcher button')) button.click();
    check(document.querySelectorAll('.samples tbody tr').length > 0, 'samples that were lost');
    checkCells('lost');
    if (window.axe) {
      const found = await axe.run(document, {resultTypes: ['violations']});
      for (const violation of found.violations) failures.push(`axe: ${violation.id}: ${violation.nodes[0].target.join(' ')}: ${violation.nodes[0].failureSummary}`);
    }
  } catch (error) {
    failures.push(String(error.stack ?? error));
  }
  const plainAscii = (json) => json.replace(/[^ -~]|[<>&]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
  parent.postMessage(plainAscii(JSON.stringify({failures: failures.slice(0, 20), figures: {width: innerWidth}})), '*');
}, 100));
