// soak: does it last?
//
// Purpose: a steady load for long: DURATION=28800 for a night. What leaks or slows
// down shows in the plots: memory, connections to Redis, times.
// Thresholds: the audit; 95 of 100 pushes and deliveries within a second each over
// the whole time; where the replicas are watched (METRICS), they never have more than
// twice the memory of the first fifth of the time, plus 64 MiB.
import { poisson } from '../lib/arrivals.js';
import { Link } from '../lib/link.js';
import * as plan from '../lib/plan.js';
import { reporter } from '../lib/report.js';
import { below, size, watching } from '../lib/settings.js';
import { growth } from '../lib/watch.js';

export { watch } from '../lib/watch.js';

const s = size({
  small: { vus: 2, channels: 20, duration: 45, messagesPerSecond: 80 },
  medium: { vus: 8, channels: 200, duration: 3_600, messagesPerSecond: 500 },
  large: { vus: 50, channels: 2_000, duration: 28_800, messagesPerSecond: 5_000 },
});

const thresholds = { qst_push_time: below(1_000), qst_time_in_queue: below(1_000) };
if (watching) thresholds.qst_watch_memory_growth = ['max<1'];
growth(s.duration / 5);

export const options = plan.options({ vus: s.vus, seconds: s.duration, thresholds });

export const setup = plan.run;

export default async function (test) {
  const until = plan.ends(s.duration);
  const arrivals = poisson(s.messagesPerSecond / s.channels);
  await plan.share(s.channels, s.vus, (i) => {
    const channel = `lt-${test.run}-${i}`;
    return plan.within(channel, (secret) => new Link({ run: test.run, channel, seed: i, secret }).carry({ arrivals, until }));
  });
}

export const handleSummary = reporter({ name: 'soak', purpose: 'Does it last: a steady load for long.', size: s });
