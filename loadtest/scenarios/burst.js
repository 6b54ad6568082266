// burst: everyone sends at once.
//
// Purpose: what autoscaling has to ride out: the rate goes from 1x to 20x within
// 5 s, stays there, and goes back. Gateways that can't push as fast as messages
// arrive send larger batches, as real ones do.
// Thresholds: the audit: in a burst messages may wait, and none is lost. And it
// recovers: when the run ends the queues are empty again (the audit waits for it
// for 10 s without progress, no longer).
import { poisson, shape } from '../lib/arrivals.js';
import { now } from '../lib/clock.js';
import { Link } from '../lib/link.js';
import * as plan from '../lib/plan.js';
import { reporter } from '../lib/report.js';
import { below, size } from '../lib/settings.js';

export { watch } from '../lib/watch.js';

// holdSeconds: how long it stays at 20x. Before and after, 1x for a third of that.
const s = size({
  small: { vus: 4, channels: 20, messagesPerSecond: 20, times: 20, holdSeconds: 10 },
  medium: { vus: 8, channels: 100, messagesPerSecond: 150, times: 20, holdSeconds: 30 },
  large: { vus: 50, channels: 1_000, messagesPerSecond: 1_000, times: 20, holdSeconds: 120 },
});
const RISE = 5;
const calm = s.holdSeconds / 3;
const seconds = calm + RISE + s.holdSeconds + RISE + calm;

export const options = plan.options({
  vus: s.vus,
  seconds,
  thresholds: { qst_push_time: below(5_000), qst_time_in_queue: below(10_000) },
});

export const setup = plan.run;

export default async function (test) {
  const began = now();
  const base = s.messagesPerSecond / s.channels;
  const points = [[0, 1], [calm, 1], [calm + RISE, s.times], [calm + RISE + s.holdSeconds, s.times], [calm + RISE + s.holdSeconds + RISE, 1]];
  const arrivals = poisson(shape(points.map(([at, times]) => [began + at * 1000, base * times])));
  const until = plan.ends(seconds);
  await plan.share(s.channels, s.vus, (i) => {
    const channel = `lt-${test.run}-${i}`;
    return plan.within(channel, (secret) => new Link({ run: test.run, channel, seed: i, secret }).carry({ arrivals, until }));
  });
}

export const handleSummary = reporter({ name: 'burst', purpose: 'Everyone sends at once: from 1x to 20x in 5 s, and back.', size: s });
