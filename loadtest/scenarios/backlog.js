// backlog: an application was down for a while.
//
// Purpose: gateways push for half of the run while nobody pulls; then applications
// come back to queues that hold thousands of messages, drain them in large answers,
// and messages go on arriving meanwhile.
// Thresholds: the audit; pushes do not mind how full a queue is (95 of 100 within a
// second); and the drain catches up before the run ends (the audit's patience).
import { poisson } from '../lib/arrivals.js';
import { now } from '../lib/clock.js';
import { Link } from '../lib/link.js';
import * as plan from '../lib/plan.js';
import { reporter } from '../lib/report.js';
import { below, size } from '../lib/settings.js';

export { watch } from '../lib/watch.js';

// max: messages in an answer.
const s = size({
  small: { vus: 2, channels: 4, duration: 20, messagesPerSecond: 300, max: 500 },
  medium: { vus: 4, channels: 20, duration: 60, messagesPerSecond: 2_000, max: 1_000 },
  large: { vus: 20, channels: 200, duration: 600, messagesPerSecond: 10_000, max: 1_000 },
});

export const options = plan.options({ vus: s.vus, seconds: s.duration, thresholds: { qst_push_time: below(1_000) } });

export const setup = plan.run;

export default async function (test) {
  const receiveFrom = now() + (s.duration * 1000) / 2;
  const until = plan.ends(s.duration);
  const arrivals = poisson(s.messagesPerSecond / s.channels);
  await plan.share(s.channels, s.vus, (i) => {
    const channel = `lt-${test.run}-${i}`;
    return plan.within(channel, (secret) => new Link({ run: test.run, channel, seed: i, max: s.max, secret }).carry({ arrivals, until, receiveFrom }));
  });
}

export const handleSummary = reporter({ name: 'backlog', purpose: 'An application was down for half of the run, and drains what has gathered.', size: s });
