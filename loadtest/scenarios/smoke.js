// smoke: does it work at all?
//
// Purpose: a few channels, both directions, for a few seconds: before anything
// larger, and after every roll-out.
// Thresholds: the audit; a push and a wake take less than 2 s, which only a broken
// service fails.
import { poisson } from '../lib/arrivals.js';
import { Link } from '../lib/link.js';
import * as plan from '../lib/plan.js';
import { reporter } from '../lib/report.js';
import { below, size } from '../lib/settings.js';

export { watch } from '../lib/watch.js';

const s = size({
  small: { vus: 2, channels: 4, duration: 10, messagesPerSecond: 150 },
  medium: { vus: 2, channels: 10, duration: 20, messagesPerSecond: 300 },
  large: { vus: 2, channels: 10, duration: 30, messagesPerSecond: 500 },
});

export const options = plan.options({
  vus: s.vus,
  seconds: s.duration,
  thresholds: { qst_push_time: below(2_000), qst_wake_time: below(2_000) },
});

export const setup = plan.run;

export default async function (test) {
  const until = plan.ends(s.duration);
  const arrivals = poisson(s.messagesPerSecond / s.channels / 2);
  await plan.share(s.channels, s.vus, async (i) => {
    const channel = `lt-${test.run}-${i}`;
    await plan.within(channel, async (secret) => {
      const up = new Link({ run: test.run, channel, name: `${channel}-in`, seed: i, sends: 'xml', secret });
      const down = new Link({ run: test.run, channel, name: `${channel}-out`, seed: i, from: 'application', to: 'gateway', secret });
      await Promise.all([up, down].map((link) => link.carry({ arrivals, until })));
    });
  });
}

export const handleSummary = reporter({ name: 'smoke', purpose: 'Does it work at all: a few channels, both directions.', size: s });
