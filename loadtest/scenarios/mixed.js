// mixed: everything the protocol has, side by side.
//
// Purpose: XML and JSON, pushed as one and pulled as the other; gzip; single
// messages and batches; all three queues of a channel; long polls and clients that
// ask every 100 ms; small answers; texts with markup, white space and characters
// from everywhere. What one format or queue does to another shows here.
// Thresholds: the audit (which compares every text); pushes and deliveries within a
// second each for 95 of 100.
import { poisson } from '../lib/arrivals.js';
import { Link } from '../lib/link.js';
import * as plan from '../lib/plan.js';
import { reporter } from '../lib/report.js';
import { below, size } from '../lib/settings.js';

export { watch } from '../lib/watch.js';

const s = size({
  small: { vus: 4, channels: 12, duration: 20, messagesPerSecond: 200 },
  medium: { vus: 8, channels: 60, duration: 60, messagesPerSecond: 1_000 },
  large: { vus: 50, channels: 600, duration: 300, messagesPerSecond: 10_000 },
});

// Of each channel: from the gateway, to the gateway, and the mailbox.
const queues = [
  { from: 'gateway', to: 'application' },
  { from: 'application', to: 'gateway' },
  { from: 'mailbox', to: 'mailbox' },
];
// Coprime with the number of queues, so that all combinations come up.
const habits = [
  { sends: 'json', takes: 'xml' },
  { sends: 'xml', takes: 'json', gzip: true },
  { sends: 'xml', takes: 'xml', batch: 1 },
  { sends: 'json', takes: 'json', gzip: true, hold: 0 },
  { sends: 'json', takes: 'xml', max: 3 },
];

export const options = plan.options({
  vus: s.vus,
  seconds: s.duration,
  thresholds: { qst_push_time: below(1_000), qst_time_in_queue: below(1_000) },
});

export const setup = plan.run;

export default async function (test) {
  const until = plan.ends(s.duration);
  const arrivals = poisson(s.messagesPerSecond / s.channels / queues.length);
  await plan.share(s.channels, s.vus, (i) => {
    const channel = `lt-${test.run}-${i}`;
    return plan.within(channel, (secret) => Promise.all(queues.map((queue, q) => {
      const n = i * queues.length + q;
      return new Link({ run: test.run, channel, name: `${channel}-${q}`, seed: n, hardEvery: 5, secret, ...queue, ...habits[n % habits.length] }).carry({ arrivals, until });
    })));
  });
}

export const handleSummary = reporter({ name: 'mixed', purpose: 'XML and JSON, gzip, all three queues, long and short polls, hard texts.', size: s });
