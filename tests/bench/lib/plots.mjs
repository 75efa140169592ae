// Bars as SVG: one small chart for each thing that a reader asks about, drawn twice, for light pages and for dark ones (NAME-dark.svg).
import fs from 'node:fs';
import path from 'node:path';
import { short } from './numbers.mjs';

// Two charts fit beside each other on a README; the type is large enough to be read there.
const [WIDTH, LABELS, VALUES, BAR, GAP, TOP, BOTTOM] = [600, 200, 105, 22, 10, 76, 10];

const LIGHT = { text: '#1f2328', faint: '#59636e', own: '#1a7f64', peer: '#aeb7c0', bare: '#d4a72c' };
const DARK = { text: '#f0f6fc', faint: '#9198a1', own: '#3fb68b', peer: '#656c76', bare: '#bb8e1e' };

const style = ({ text, faint }) => `text{font:16px system-ui,-apple-system,"Segoe UI",sans-serif;fill:${text}}.title{font-size:19px;font-weight:600}.note{font-size:14px;fill:${faint}}.own{font-weight:600}`;

const escape = (text) => text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

// Parley, what is only there for comparison (the smallest server, the database alone), and the others.
const kind = (name) => (name.startsWith('parley') ? 'own' : /^(bare|pgbench)/.test(name) ? 'bare' : 'peer');
const shown = (name) => name.replace(/^parley/, 'Parley').replace('bare send server', 'bare send() loop').replace('mercurius, cluster of 2', 'mercurius × 2');

// bars: [[name, value]]; rows: as high as for so many of them.
export function barChart({ title, note, bars, rows = bars.length }, colours) {
  const room = WIDTH - LABELS - VALUES;
  const most = Math.max(...bars.map(([, value]) => value));
  const lines = bars.map(([name, value], i) => {
    const y = TOP + i * (BAR + GAP);
    const width = Math.max(2, (value / most) * room).toFixed(1);
    const own = kind(name) === 'own' ? ' class="own"' : '';
    return `<text${own} x="${LABELS - 12}" y="${y + 17}" text-anchor="end">${escape(shown(name))}</text>
<rect fill="${colours[kind(name)]}" x="${LABELS}" y="${y}" width="${width}" height="${BAR}" rx="3"/>
<text${own} x="${LABELS + Number(width) + 8}" y="${y + 17}">${short(value)}</text>`;
  });
  const height = TOP + rows * (BAR + GAP) + BOTTOM;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(title)}">
<style>${style(colours)}</style>
<text class="title" x="8" y="26">${escape(title)}</text>
<text class="note" x="8" y="50">${escape(note)}</text>
${lines.join('\n')}
</svg>
`;
}

const caseOf = (report, workload, key) => report.workloads[workload]?.cases.find((one) => one.key === key);

// The bars of one figure of a case, the best first.
function barsOf(one, figure, { ascending = false } = {}) {
  const bars = Object.entries(one?.systems ?? {}).map(([name, summary]) => [name, summary[figure]]).filter(([, value]) => Number.isFinite(value) && value > 0);
  return bars.sort((a, b) => (ascending ? a[1] - b[1] : b[1] - a[1]));
}

// What one delivery costs: the more there is to send, the less of it.
function deliveryBars(report) {
  const own = [200, 400].map((rate) => [`parley, ${rate}/s`, caseOf(report, 'w4', `5000 at ${rate}`)?.systems.parley?.cpuUs]);
  const others = barsOf(caseOf(report, 'w4', '5000 at 10'), 'cpuUs', { ascending: true }).map(([name, value]) => [`${name}, 10/s`, value]);
  return [...own.reverse().filter(([, value]) => value > 0), ...others];
}

export const PLOTS = [
  { file: 'reads', title: 'Newest 50 messages, requests/s', note: ({ messages }) => `more is better · getMessages, ${messages.toLocaleString('en')} messages, 64 connections`, bars: (report) => barsOf(caseOf(report, 'w2', 'newest'), 'perSecond') },
  { file: 'writes', title: 'Durable messages/s', note: 'more is better · createMessage, 100 rooms, 256 connections', bars: (report) => barsOf(caseOf(report, 'w3', 'rooms'), 'perSecond') },
  { file: 'fanout', title: 'Most deliveries/s with p99 below 500 ms', note: 'more is better · one room, 5,000 subscribers', bars: (report) => barsOf(caseOf(report, 'w4', 'most'), 'perSecond') },
  { file: 'delivery', title: 'CPU µs of a delivery', note: 'less is better · 5,000 subscribers, by events a second', bars: deliveryBars },
  { file: 'idle', title: 'Resident bytes of an idle subscriber', note: 'less is better · 10,000 of them', bars: (report) => barsOf(caseOf(report, 'w5', 'idle'), 'bytesEach', { ascending: true }) },
  { file: 'connect', title: 'CPU µs to connect and subscribe', note: 'less is better · WebSocket, the token is already verified', bars: (report) => barsOf(caseOf(report, 'w7', 'connect'), 'cpuUs', { ascending: true }) },
];

// The plots whose workloads were run, each with its two files: { file, title, files: { name: svg } }. They are written if there is a folder.
export function drawPlots(report, folder) {
  const drawn = PLOTS.map((plot) => ({ ...plot, note: typeof plot.note === 'function' ? plot.note(report) : plot.note, bars: plot.bars(report) })).filter(({ bars }) => bars.length > 1);
  return drawn.map((plot, i) => {
    const besides = drawn[i ^ 1] ?? plot; // two stand in a row
    plot.rows = Math.max(plot.bars.length, besides.bars.length);
    const files = { [`${plot.file}.svg`]: barChart(plot, LIGHT), [`${plot.file}-dark.svg`]: barChart(plot, DARK) };
    if (folder) for (const [name, svg] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), svg);
    return { file: plot.file, title: plot.title, files };
  });
}
