// longpoll: many who wait, little to say.
//
// Purpose: thousands of applications wait in long polls, and a trickle of messages
// wakes a few of them. What it shows: what a held poll costs, and that a message
// finds the one poll that waits for it, at once.
// Thresholds: the audit; 95 of 100 wakes within a second; and where the replicas are
// watched (METRICS), that the polls were really held.
import { poisson } from '../lib/arrivals.js';
import { Link } from '../lib/link.js';
import * as plan from '../lib/plan.js';
import { reporter } from '../lib/report.js';
import { below, size, watching } from '../lib/settings.js';

export { watch } from '../lib/watch.js';

const s = size({
  small: { vus: 4, polls: 500, duration: 25, messagesPerSecond: 100, holdSeconds: 10 },
  medium: { vus: 8, polls: 4_000, duration: 90, messagesPerSecond: 200, holdSeconds: 45 },
  large: { vus: 50, polls: 50_000, duration: 300, messagesPerSecond: 2_000, holdSeconds: 45 },
});

const thresholds = { qst_wake_time: below(1_000), qst_time_in_queue: below(1_000) };
// A quarter may be on their way back at any moment; a replica that holds none is more.
if (watching) thresholds.qst_watch_polls_held = [`max>${s.polls * 0.75}`];

export const options = plan.options({ vus: s.vus, seconds: s.duration, thresholds });

export const setup = plan.run;

export default async function (test) {
  const until = plan.ends(s.duration);
  const arrivals = poisson(s.messagesPerSecond / s.polls);
  await plan.share(s.polls, s.vus, (i) => {
    const channel = `lt-${test.run}-${i}`;
    return plan.within(channel, (secret) => new Link({ run: test.run, channel, seed: i, hold: s.holdSeconds, secret }).carry({ arrivals, until }));
  });
}

export const handleSummary = reporter({ name: 'longpoll', purpose: 'Many who wait, little to say: thousands of long polls, a trickle of messages.', size: s });
