// What a run leaves behind: its verdict on the terminal, summary.json, and
// report.html, which needs nothing but itself. PRINT_REPORT prints the page, too:
// of a pod that has ended, only its output is left.
import { page } from './page.js';
import { urls } from './settings.js';
import { isSlot, series, slotSeconds } from './slots.js';

// reporter makes a scenario's handleSummary.
export function reporter({ name, purpose, size }) {
  return (data) => {
    const report = collect({ name, purpose, size }, data);
    const dir = __ENV.RESULTS || '.';
    return {
      stdout: terminal(report) + (__ENV.PRINT_REPORT ? page(report) : ''),
      [`${dir}/summary.json`]: `${JSON.stringify(report, null, 1)}\n`,
      [`${dir}/report.html`]: page(report),
    };
  };
}

function collect(scenario, data) {
  const metrics = data.metrics;
  const stat = (metric, key) => (metrics[metric] ? metrics[metric].values[key] : undefined);
  const times = (metric) => {
    const v = metrics[metric] && metrics[metric].values;
    return v && v.count > 0 ? { count: v.count, median: v.med, p95: v['p(95)'], p99: v['p(99)'], most: v.max } : undefined;
  };
  const perSecond = (metric) => series(metrics, metric, 'count').map((n) => (n === null ? null : n / slotSeconds()));
  const held = Object.entries(metrics).filter(([key]) => !isSlot(key) && metrics[key].thresholds)
    .flatMap(([metric, m]) => Object.entries(m.thresholds).map(([rule, { ok }]) => ({ metric, rule, ok, value: valueOf(m, rule) })))
    .filter(({ rule }) => rule !== 'count>=0');
  const watched = (metric) => blanked(series(metrics, metric, 'max'), series(metrics, metric, 'count'));
  const quantiles = (metric) => ({ median: series(metrics, metric, 'med'), p95: series(metrics, metric, 'p(95)'), count: series(metrics, metric, 'count') });
  return {
    ...scenario,
    finished: new Date().toISOString(),
    urls: urls.length,
    seconds: data.state.testRunDurationMs / 1000,
    passed: held.every(({ ok }) => ok),
    thresholds: held,
    audit: {
      accepted: stat('qst_accepted', 'count') || 0,
      delivered: stat('qst_delivered', 'count') || 0,
      lost: stat('qst_lost', 'count') || 0,
      outOfOrder: stat('qst_out_of_order', 'count') || 0,
      duplicatesUnconfirmed: stat('qst_duplicates{why:unconfirmed}', 'count') || 0,
      duplicatesRepushed: stat('qst_duplicates{why:repushed}', 'count') || 0,
      duplicatesUnexplained: stat('qst_duplicates{why:unexplained}', 'count') || 0,
      altered: stat('qst_altered', 'count') || 0,
      miscounted: stat('qst_miscounted', 'count') || 0,
      retries: stat('qst_retries', 'count') || 0,
    },
    milliseconds: {
      push: times('qst_push_time'), inQueue: times('qst_time_in_queue'), wake: times('qst_wake_time'), generatorBehind: times('qst_generator_behind'),
    },
    slotSeconds: slotSeconds(),
    series: {
      acceptedPerSecond: perSecond('qst_accepted'),
      deliveredPerSecond: perSecond('qst_delivered'),
      push: blank(quantiles('qst_push_time')),
      inQueue: blank(quantiles('qst_time_in_queue')),
      wake: blank(quantiles('qst_wake_time')),
      pollsHeld: watched('qst_watch_polls_held'),
      queueMessages: watched('qst_watch_queue_messages'),
      replicas: watched('qst_watch_replicas'),
      memory: watched('qst_watch_memory_bytes'),
      redisConnections: watched('qst_watch_redis_connections'),
    },
  };
}

// blanked takes out the slots without a sample, of which k6 says 0.
const blanked = (values, counts) => values.map((v, i) => (counts[i] ? v : null));
const blank = ({ median, p95, count }) => ({ median: blanked(median, count), p95: blanked(p95, count) });

function valueOf(m, rule) {
  const stat = rule.split(/[<>=! ]/)[0];
  return m.values[stat];
}

const ms = (v) => (v < 10 ? v.toFixed(1) : v.toFixed(0));

function terminal(r) {
  const rows = [`\n${r.passed ? 'PASSED' : 'FAILED'}  ${r.name} (${r.size.name}), ${r.seconds.toFixed(0)} s`];
  const a = r.audit;
  rows.push(`  ${a.accepted} accepted, ${a.delivered} delivered, ${a.lost} LOST, ${a.outOfOrder} out of order, ${a.altered} altered`);
  rows.push(`  delivered again: ${a.duplicatesUnconfirmed} not confirmed before, ${a.duplicatesRepushed} pushed again, ${a.duplicatesUnexplained} UNEXPLAINED; ${a.retries} retries`);
  for (const [name, t] of Object.entries(r.milliseconds)) {
    if (t) rows.push(`  ${name.padEnd(16)} median ${ms(t.median)} ms, p95 ${ms(t.p95)}, p99 ${ms(t.p99)}, most ${ms(t.most)}`);
  }
  for (const t of r.thresholds.filter(({ ok }) => !ok)) rows.push(`  broken: ${t.metric} ${t.rule}, it is ${t.value}`);
  return `${rows.join('\n')}\n\n`;
}
