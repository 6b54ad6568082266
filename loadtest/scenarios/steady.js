// steady: what it is like on a normal day.
//
// Purpose: messages arrive at a constant rate, independently of each other and of
// how the service does (an open model), and applications wait for them with long
// polls. What users would notice: the time in the queue.
// Thresholds: the audit; 95 of 100 messages are pushed, and with their application,
// within a second each. Generous: the median is some milliseconds.
import { poisson } from '../lib/arrivals.js';
import { Link } from '../lib/link.js';
import * as plan from '../lib/plan.js';
import { reporter } from '../lib/report.js';
import { below, size } from '../lib/settings.js';

export { watch } from '../lib/watch.js';

const s = size({
  small: { vus: 4, channels: 20, duration: 20, messagesPerSecond: 150 },
  medium: { vus: 8, channels: 100, duration: 60, messagesPerSecond: 1_000 },
  large: { vus: 50, channels: 1_000, duration: 300, messagesPerSecond: 10_000 },
});

export const options = plan.options({
  vus: s.vus,
  seconds: s.duration,
  thresholds: { qst_push_time: below(1_000), qst_time_in_queue: below(1_000), qst_wake_time: below(1_000) },
});

export const setup = plan.run;

export default async function (test) {
  const until = plan.ends(s.duration);
  const arrivals = poisson(s.messagesPerSecond / s.channels);
  await plan.share(s.channels, s.vus, (i) => {
    const channel = `lt-${test.run}-${i}`;
    return plan.within(channel, (secret) => new Link({ run: test.run, channel, seed: i, secret }).carry({ arrivals, until }));
  });
}

export const handleSummary = reporter({ name: 'steady', purpose: 'A normal day: messages arrive at a constant rate, applications wait for them with long polls.', size: s });
