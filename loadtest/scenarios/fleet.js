// fleet: phones with a network that comes and goes.
//
// Purpose: thousands of channels, each a phone that sends and receives a little,
// and vanishes: in the middle of a push (which it then sends again, not knowing),
// in the middle of a poll (whose messages it then never saw), for seconds. Some come
// back with an old ETag, or with none, as after a restart.
// Thresholds: the audit, in both directions. Here deliveries of what was not
// confirmed are expected, and there must have been some, or the phones were not
// flaky; so must pushes that were sent again. No message is stored twice for that.
import { poisson } from '../lib/arrivals.js';
import { now, pause } from '../lib/clock.js';
import { Link } from '../lib/link.js';
import * as plan from '../lib/plan.js';
import { reporter } from '../lib/report.js';
import { size } from '../lib/settings.js';

export { watch } from '../lib/watch.js';

// flaky: of 100 requests of a phone, so many are cut.
const s = size({
  small: { vus: 4, phones: 200, duration: 25, messagesPerSecond: 100, flaky: 20 },
  medium: { vus: 8, phones: 2_000, duration: 90, messagesPerSecond: 400, flaky: 20 },
  large: { vus: 50, phones: 20_000, duration: 300, messagesPerSecond: 4_000, flaky: 20 },
});

export const options = plan.options({
  vus: s.vus,
  seconds: s.duration,
  thresholds: { 'qst_duplicates{why:unconfirmed}': ['count>0'], 'qst_retries{request:push}': ['count>0'] },
});

export const setup = plan.run;

const chance = (percent) => Math.random() * 100 < percent;
const between = (a, b) => a + Math.random() * (b - a);

// A phone sends one link and receives another. A request that is cut is cut after
// a time that lies around what it takes: before it arrives, while it is worked on,
// or after it is done.
async function phone(up, down, arrivals, until) {
  const sent = up.send(arrivals, until, (messages) => up.push(messages, until, chance(s.flaky) ? between(1, 8) : undefined));
  const etags = []; // of its last answers, the newest first
  while (!down.finished()) {
    const cut = now() < until && chance(s.flaky);
    const answer = await down.pull(cut ? { timeout: between(5, 1_500) } : {});
    if (answer.ok && answer.messages.length > 0) etags.unshift(answer.next);
    etags.length = Math.min(etags.length, 4);
    if (!cut) continue;
    await pause(between(100, 2_000)); // out of reach
    // What a phone still knows after that: all, what it knew some answers ago, or nothing.
    if (chance(50)) down.application.etag = etags[Math.floor(between(0, 4))] || '';
  }
  await down.receive(); // confirms the last batch
  await sent;
}

export default async function (test) {
  const until = plan.ends(s.duration);
  const arrivals = poisson(s.messagesPerSecond / s.phones / 2);
  await plan.share(s.phones, s.vus, (i) => {
    const channel = `lt-${test.run}-${i}`;
    return plan.within(channel, async (secret) => {
      const up = new Link({ run: test.run, channel, name: `${channel}-up`, seed: i, sends: 'xml', takes: 'json', secret });
      const down = new Link({ run: test.run, channel, name: `${channel}-down`, seed: i + 1, from: 'application', to: 'gateway', sends: 'json', takes: 'xml', hold: 2, secret });
      await Promise.all([phone(up, down, arrivals, until), up.receive(), down.send(arrivals, until)]);
      up.ledger.close();
      down.ledger.close();
    });
  });
}

export const handleSummary = reporter({ name: 'fleet', purpose: 'Phones with a network that comes and goes: cut pushes and polls, old ETags.', size: s });
