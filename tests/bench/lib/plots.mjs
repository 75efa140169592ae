// Bars as SVG: one small chart for each thing that a reader asks about. Colours follow the reader's light or dark page.
import fs from 'node:fs';
import path from 'node:path';
import { short } from './numbers.mjs';

const [WIDTH, LABELS, VALUES, BAR, GAP, TITLE] = [760, 210, 110, 20, 8, 58];

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .note, .value { fill: #59636e }
  .own { fill: #1a7f64 } .peer { fill: #9aa4af } .bare { fill: #c9a227 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .note, .value { fill: #9198a1 }
    .own { fill: #3fb68b } .peer { fill: #656c76 } .bare { fill: #b8952e }
  }`;

const escape = (text) => text.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]);

const kind = (name) => (name.startsWith('parley') ? 'own' : /^(bare|pgbench)/.test(name) ? 'bare' : 'peer');

// bars: [[name, value]]; isLog: tenfold steps, for what differs by orders of magnitude.
export function barChart({ title, note, bars, isLog = false }) {
  const room = WIDTH - LABELS - VALUES;
  const most = Math.max(...bars.map(([, value]) => value));
  const floor = isLog ? 10 ** Math.floor(Math.log10(Math.min(...bars.map(([, value]) => value)) / 2)) : 0;
  const length = (value) => Math.max(2, isLog ? (Math.log(value / floor) / Math.log(most / floor)) * room : (value / most) * room);
  const lines = bars.map(([name, value], i) => {
    const y = TITLE + i * (BAR + GAP);
    const width = length(value).toFixed(1);
    return `  <text x="${LABELS - 10}" y="${y + 15}" text-anchor="end">${escape(name)}</text>
  <rect class="${kind(name)}" x="${LABELS}" y="${y}" width="${width}" height="${BAR}" rx="3"/>
  <text class="value" x="${LABELS + Number(width) + 8}" y="${y + 15}">${short(value)}</text>`;
  });
  const height = TITLE + bars.length * (BAR + GAP) + 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(title)}">
<style>${STYLE}
</style>
  <text class="title" x="10" y="22">${escape(title)}</text>
  <text class="note" x="10" y="42">${escape(note)}${isLog ? '; logarithmic' : ''}</text>
${lines.join('\n')}
</svg>
`;
}

// The bars of one figure of a case, the best first.
function barsOf(one, figure, { ascending = false } = {}) {
  const bars = Object.entries(one?.systems ?? {}).map(([name, summary]) => [name, summary[figure]]).filter(([, value]) => Number.isFinite(value) && value > 0);
  return bars.sort((a, b) => (ascending ? a[1] - b[1] : b[1] - a[1]));
}

const PLOTS = [
  { file: 'reads', workload: 'w2', pick: /last: 50/, figure: 'perSecond', title: 'getMessages(last: 50), requests a second', note: 'more is better; 64 connections, 1 M messages' },
  { file: 'writes', workload: 'w3', pick: /100 rooms/, figure: 'perSecond', title: 'createMessage, acknowledged after commit, messages a second', note: 'more is better; 256 connections, 100 rooms, synchronous_commit=on' },
  { file: 'fanout', workload: 'w4', pick: /most/, figure: 'perSecond', title: 'Most deliveries a second with p99 below 500 ms', note: 'more is better; one room, 5,000 subscribers', isLog: true },
  { file: 'idle', workload: 'w5', pick: /idle/, figure: 'bytesEach', title: 'Resident bytes of an idle subscriber', note: 'less is better; 10,000 of them', ascending: true, isLog: true },
];

// Writes <file>.svg for each plot whose workload was run; gives their names.
export function drawPlots({ workloads }, folder) {
  const drawn = [];
  for (const { file, workload, pick, figure, ascending, ...chart } of PLOTS) {
    const bars = barsOf(workloads[workload]?.find(({ name }) => pick.test(name)), figure, { ascending });
    if (bars.length < 2) continue;
    fs.writeFileSync(path.join(folder, `${file}.svg`), barChart({ ...chart, bars }));
    drawn.push(file);
  }
  return drawn;
}
