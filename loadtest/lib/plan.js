// What the scenarios have in common: k6's options, set-up, and the report.
import exec from 'k6/execution';
import { audited, plotted, promises } from './audit.js';
import { now } from './clock.js';
import { admin } from './settings.js';
import { close, open } from './provision.js';
import * as slots from './slots.js';
import { watched } from './watch.js';

// How long after the last message a VU may take to drain its queues, before it is
// cut, and with it the run.
const DRAIN = 60;

// options makes k6's options for `vus` senders and receivers that run for `seconds`,
// and one VU that watches the service meanwhile.
export function options({ vus, seconds, thresholds = {} }) {
  slots.prepare(seconds + 5); // the plots show the drain's beginning
  return {
    scenarios: {
      load: { executor: 'per-vu-iterations', vus, iterations: 1, maxDuration: `${seconds + DRAIN}s`, gracefulStop: '5s' },
      watch: { executor: 'constant-vus', vus: 1, duration: `${seconds + 5}s`, exec: 'watch', gracefulStop: '5s' },
    },
    thresholds: { ...promises, ...thresholds, ...slots.thresholds({ ...plotted, ...watched }) },
    // A channel's URL in each sample would be a series for each channel.
    systemTags: ['scenario', 'name', 'status', 'error_code'],
    summaryTrendStats: ['count', 'min', 'avg', 'med', 'p(95)', 'p(99)', 'max'],
    setupTimeout: '60s',
    noCookiesReset: true,
  };
}

// run is what all VUs are given: a name for the run, new every time.
export const run = () => ({ run: Date.now().toString(36) });

// vu is the number of this VU within its scenario, from 0, also where several k6
// share the work (k6-operator).
export const vu = () => exec.scenario.iterationInTest;

// share runs one VU's part. work is called with each index of the VU's share of
// `count` things, all at the same time, and audited as a whole.
export async function share(count, vus, work) {
  const mine = [];
  for (let i = vu(); i < count; i += vus) mine.push(i);
  await audited(async () => { await Promise.all(mine.map(work)); });
}

// within makes a channel's credentials where it needs some, works with them, and
// removes the channel.
export async function within(channel, work) {
  const secret = admin.url ? await open(channel) : undefined;
  const result = await work(secret);
  if (admin.url) await close(channel);
  return result;
}

// ends is when, of now(), a run of so many seconds is over.
export const ends = (seconds) => now() + seconds * 1000;
