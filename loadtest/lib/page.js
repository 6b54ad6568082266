// The report as one HTML page, plots drawn as SVG.

const escape = (s) => String(s).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }[c]));
const words = (name) => name.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`);
const short = (v) => {
  if (v === undefined || v === null) return '–';
  const [n, unit] = v >= 1e9 ? [v / 1e9, ' G'] : v >= 1e6 ? [v / 1e6, ' M'] : v >= 1e4 ? [v / 1e3, ' k'] : [v, ''];
  return `${Number.isInteger(n) ? n : Number(n.toPrecision(3))}${unit}`;
};

// A round number not below v: the top of an axis.
function top(v) {
  const unit = 10 ** Math.floor(Math.log10(v || 1));
  return [1, 2, 2.5, 5, 10].map((n) => n * unit).find((n) => n >= v);
}

const [W, H, LEFT, RIGHT, UP, DOWN] = [460, 200, 48, 16, 8, 22];

function plot({ title, unit, lines, width }) {
  const drawn = lines.filter(({ values }) => values.some((v) => v !== null));
  if (drawn.length === 0) return `<figure><figcaption>${title}</figcaption><p class="none">not measured</p></figure>`;
  const most = top(Math.max(...drawn.flatMap(({ values }) => values.filter((v) => v !== null))));
  const slots = drawn[0].values.length;
  const x = (i) => LEFT + ((i + 0.5) / slots) * (W - LEFT - RIGHT);
  const y = (v) => UP + (1 - v / most) * (H - UP - DOWN);
  const parts = [0, 0.25, 0.5, 0.75, 1].map((f) =>
    `<line class="grid" x1="${LEFT}" x2="${W - RIGHT}" y1="${y(most * f)}" y2="${y(most * f)}"/><text x="${LEFT - 5}" y="${y(most * f) + 4}" text-anchor="end">${short(most * f)}</text>`);
  for (let i = 0; i <= 4; i += 1) {
    const at = (slots * i) / 4;
    parts.push(`<text x="${LEFT + (at / slots) * (W - LEFT - RIGHT)}" y="${H - 6}" text-anchor="middle">${Math.round(at * width)} s</text>`);
  }
  drawn.forEach(({ name, values }, n) => {
    // A gap where nothing was measured; a single point would be no line: a dot.
    const runs = values.map((v, i) => (v === null ? ' ' : `${x(i).toFixed(1)},${y(v).toFixed(1)}`)).join(';').split(/[; ]* [; ]*/).filter(Boolean);
    for (const run of runs) {
      const points = run.split(';').filter(Boolean);
      parts.push(points.length > 1 ? `<polyline class="line l${n}" points="${points.join(' ')}"/>` : `<circle class="dot l${n}" r="2" cx="${points[0].split(',')[0]}" cy="${points[0].split(',')[1]}"/>`);
    }
    values.forEach((v, i) => {
      if (v !== null) parts.push(`<rect class="hover" x="${x(i) - 4}" y="${y(v) - 4}" width="8" height="8"><title>${escape(name)}: ${short(v)}${unit} at ${i * width} s</title></rect>`);
    });
  });
  const legend = drawn.length > 1 ? drawn.map(({ name }, n) => `<span class="key l${n}">${escape(name)}</span>`).join('') : '';
  return `<figure><figcaption>${title}${legend}</figcaption><svg viewBox="0 0 ${W} ${H}" role="img" aria-label="${escape(title)}">${parts.join('')}</svg></figure>`;
}

export function page(r) {
  const width = r.slotSeconds;
  const s = r.series;
  const quantiles = (title, q) => plot({ title, unit: ' ms', width, lines: [{ name: 'median', values: q.median }, { name: 'p95', values: q.p95 }] });
  const one = (title, values, unit = '') => plot({ title, unit, width, lines: [{ name: title, values }] });
  const plots = [
    plot({ title: 'Messages a second', unit: '/s', width, lines: [{ name: 'accepted', values: s.acceptedPerSecond }, { name: 'delivered', values: s.deliveredPerSecond }] }),
    quantiles('Time in queue, ms', s.inQueue),
    quantiles('Time of a push, ms', s.push),
    quantiles('From a push to the poll that waited, ms', s.wake),
    one('Polls held', s.pollsHeld),
    one('Messages in all queues', s.queueMessages),
    one('Replicas', s.replicas),
    one('Memory of the replicas, bytes', s.memory, 'B'),
    one('Connections to Redis, for pushes and pulls', s.redisConnections),
  ];
  const audit = Object.entries(r.audit).map(([k, v]) => `<tr><th>${escape(words(k))}</th><td>${v}</td></tr>`);
  const times = Object.entries(r.milliseconds).filter(([, t]) => t).map(([k, t]) =>
    `<tr><th>${escape(words(k))}</th><td>${short(t.count)}</td><td>${short(t.median)}</td><td>${short(t.p95)}</td><td>${short(t.p99)}</td><td>${short(t.most)}</td></tr>`);
  const rules = r.thresholds.map((t) => `<tr class="${t.ok ? 'ok' : 'broken'}"><th>${escape(t.metric)}</th><td>${escape(t.rule)}</td><td>${short(t.value)}</td><td>${t.ok ? 'kept' : 'BROKEN'}</td></tr>`);
  const sizes = Object.entries(r.size).map(([k, v]) => `${escape(k === 'name' ? 'size' : words(k))} ${escape(v)}`).join(', ');
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(r.name)}: ${r.passed ? 'passed' : 'FAILED'}</title>
<style>
:root { color-scheme: light dark; --fg: #1c2430; --dim: #6b7686; --bg: #fff; --rule: #e3e7ec; --c0: #1668c7; --c1: #d9631e; --ok: #1d7f3f; --bad: #c1272d; }
@media (prefers-color-scheme: dark) { :root { --fg: #e4e8ee; --dim: #95a1b2; --bg: #14181e; --rule: #2b323c; --c0: #63a8f5; --c1: #f2925a; --ok: #5ccb82; --bad: #ff6b70; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg); max-width: 980px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h1 b { color: var(--ok); } h1 b.bad { color: var(--bad); } p { margin: .3rem 0 1rem; } .dim, .none { color: var(--dim); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 1.2rem; } figure { margin: 0; } figcaption { font-weight: 600; }
svg { width: 100%; display: block; } svg text { font-size: 11px; fill: var(--dim); } .grid { stroke: var(--rule); } .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.l0 { stroke: var(--c0); } .l1 { stroke: var(--c1); } .dot.l0 { fill: var(--c0); } .dot.l1 { fill: var(--c1); } .hover { fill: transparent; stroke: none; } .key { font-weight: 400; margin-left: .8rem; } .key.l0 { color: var(--c0); } .key.l1 { color: var(--c1); }
.tables { display: flex; flex-wrap: wrap; gap: 2rem; } table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; } th { text-align: left; font-weight: 400; } thead th { color: var(--dim); text-align: right; } td { text-align: right; } th, td { padding: .1rem .6rem .1rem 0; border-bottom: 1px solid var(--rule); } .ok td:last-child { color: var(--ok); } .broken { color: var(--bad); font-weight: 600; }
</style>
<h1>${escape(r.name)}: <b${r.passed ? '' : ' class="bad"'}>${r.passed ? 'passed' : 'FAILED'}</b></h1>
<p>${escape(r.purpose)}<br><span class="dim">${escape(r.finished)}, ${r.seconds.toFixed(0)} s; ${sizes}</span></p>
<div class="plots">${plots.join('\n')}</div>
<div class="tables">
<section><h2>Audit</h2><table>${audit.join('')}</table></section>
<section><h2>Milliseconds</h2><table><thead><tr><th></th><th>count</th><th>median</th><th>p95</th><th>p99</th><th>most</th></tr></thead>${times.join('')}</table></section>
<section><h2>Thresholds</h2><table>${rules.join('')}</table></section>
</div>
</html>
`;
}
