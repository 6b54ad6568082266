// What went into a queue, and what came out of it.
//
// k6's VUs share nothing. So a queue belongs to one VU, which is its sender and its
// receiver, and a Ledger in that VU knows every message of it. The rules:
//
//   lost          answered 200, and not delivered by the end
//   out of order  delivered for the first time after a later one, or the messages of
//                 one answer are not in order
//   duplicate     delivered again. Explained if the receiver had not confirmed it
//                 before the answer ('unconfirmed'). A message that was pushed again
//                 because the answer was lost may be stored twice once the service
//                 has forgotten it ('repushed'); within the deduplication window the
//                 protocol promises that it is not. Everything else is 'unexplained'.
//   altered       another text, sender or time than was sent; or never sent at all
//   miscounted    the answer to a push, or QST-Confirmed, says another number
import { Counter, Trend } from 'k6/metrics';
import { now } from './clock.js';
import { below } from './settings.js';
import { slot } from './slots.js';
import { text } from './texts.js';

const accepted = new Counter('qst_accepted');
const delivered = new Counter('qst_delivered');
const duplicates = new Counter('qst_duplicates');
const outOfOrder = new Counter('qst_out_of_order');
const lost = new Counter('qst_lost');
const altered = new Counter('qst_altered');
const miscounted = new Counter('qst_miscounted');
const refused = new Counter('qst_refused');
const givenUp = new Counter('qst_given_up');
const unaudited = new Counter('qst_unaudited');
const pushTime = new Trend('qst_push_time', true);
const timeInQueue = new Trend('qst_time_in_queue', true);
const wakeTime = new Trend('qst_wake_time', true);
const behind = new Trend('qst_generator_behind', true);

// What every scenario promises.
export const promises = {
  qst_lost: ['count==0'],
  qst_out_of_order: ['count==0'],
  'qst_duplicates{why:unexplained}': ['count==0'],
  'qst_duplicates{why:repushed}': ['count==0'],
  'qst_duplicates{why:unconfirmed}': ['count>=0'], // only for the report
  qst_altered: ['count==0'],
  qst_miscounted: ['count==0'],
  qst_refused: ['count==0'],
  qst_given_up: ['count==0'],
  // Each VU adds one when it begins and takes it away after its audit.
  qst_unaudited: ['count==0'],
  // A run in which nothing was sent has shown nothing, and in one where k6 itself
  // can't keep up, the times say nothing about the service.
  qst_accepted: ['count>0'],
  qst_generator_behind: below(1_000),
};

export const plotted = { qst_accepted: 'counter', qst_delivered: 'counter', qst_push_time: 'trend', qst_time_in_queue: 'trend', qst_wake_time: 'trend' };

// audited runs a VU's work. If it fails or is interrupted, so does the run.
export async function audited(work) {
  unaudited.add(1);
  await work();
  unaudited.add(-1);
}

// A wake is measured on polls that had been waiting for this long when the push
// was sent: a shorter one may have been on its way.
const SURELY_WAITING = 25;
const COMPLAINTS = 5; // a ledger's, in the log; the rest are only counted

export class Ledger {
  // sender names the queue in the test: it is in each message, and in complaints.
  constructor(run, sender, seed, { hardEvery = 0 } = {}) {
    Object.assign(this, { run, sender, seed, hardEvery });
    this.written = 0; // sequence numbers are 0, 1, …
    this.open = new Map(); // those not delivered: n → { at, sent, accepted, doubtful }
    this.last = -1; // the highest delivered
    this.confirmed = -1; // the highest that a request answered 200 has confirmed
    this.etags = new Map([['', -1]]); // ETag → the highest that it stands for
    this.repushed = new Set(); // sent more than once, with an outcome unknown between
    this.complaints = 0;
    this.received = 0;
    this.moved = 0; // when something was last delivered
  }

  complain(what, counter, tags) {
    counter.add(1, tags);
    this.complaints += 1;
    if (this.complaints <= COMPLAINTS) console.error(`${this.sender}: ${what}`);
  }

  // write makes the next message. at: when it arrived at its sender.
  write(at) {
    const n = this.written;
    this.written += 1;
    behind.add(now() - at);
    const message = {
      id: `${this.run}-${this.sender}-${n}`, from: `load://${this.sender}`, to: 'load://receiver', when: new Date().toISOString(),
      body: text(this.seed, n, this.hardEvery),
      properties: { run: this.run, n, at: at.toFixed(3) },
    };
    this.open.set(n, { at, sent: Infinity, accepted: false });
    return message;
  }

  // sent notes that a push of these messages is under way.
  sent(messages) {
    const t = now();
    for (const m of messages) {
      const entry = this.open.get(m.properties.n);
      if (entry) entry.sent = t;
    }
  }

  // answered notes what became of the push; result is a Gateway's.
  answered(messages, result) {
    const numbers = messages.map((m) => m.properties.n);
    if (result.doubtful) numbers.forEach((n) => this.repushed.add(n));
    switch (result.outcome) {
      case 'stored':
        accepted.add(messages.length, slot());
        pushTime.add(result.took, slot());
        for (const n of numbers) if (this.open.has(n)) this.open.get(n).accepted = true;
        if (result.accepted + result.duplicates !== messages.length || (result.duplicates > 0 && !result.doubtful)) {
          this.complain(`${messages.length} messages pushed, answered ${result.accepted} accepted, ${result.duplicates} duplicates`, miscounted);
        }
        return;
      case 'refused':
        numbers.forEach((n) => this.open.delete(n));
        this.complain(`refused: ${result.detail}`, refused);
        return;
      default: // may be stored or not: neither its loss nor its delivery is a mistake
        this.complain(`gave up a push: ${result.detail}`, givenUp);
    }
  }

  // pulled notes what an Application's pull brought. polled: when it was sent, if it
  // was a long poll.
  pulled(answer, polled) {
    if (!answer.ok) return;
    const t = now();
    // What the request confirmed, and what others had before: neither may come again.
    const covered = this.etags.has(answer.etag) ? this.etags.get(answer.etag) : -1;
    const gone = Math.max(this.confirmed, covered);
    if (this.etags.has(answer.etag) && answer.confirmed > covered + 1) {
      this.complain(`QST-Confirmed: ${answer.confirmed} for an ETag that stands for ${covered + 1} messages`, miscounted);
    }
    let previous = -1;
    let woken = polled === undefined;
    for (const m of answer.messages) {
      const n = this.check(m);
      if (n === undefined) continue;
      const entry = this.open.get(n);
      if (n < previous || (entry && n < this.last)) this.complain(`message ${n} came after ${Math.max(previous, this.last)}`, outOfOrder);
      if (entry) {
        this.open.delete(n);
        delivered.add(1, slot());
        timeInQueue.add(t - entry.at, slot());
        if (!woken && entry.sent > polled + SURELY_WAITING && entry.sent !== Infinity) wakeTime.add(t - entry.sent, slot());
        woken = true; // the first message is what the poll was woken for
        this.received += 1;
        this.moved = t;
        this.last = Math.max(this.last, n);
      } else if (this.repushed.has(n) && (n <= gone || n === previous)) {
        this.complain(`message ${n}, pushed again after an unknown outcome, was stored twice`, duplicates, { why: 'repushed' });
      } else if (n <= gone || n === previous) {
        this.complain(`message ${n} came again ${n === previous ? 'in one answer' : 'after it was confirmed'}`, duplicates, { why: 'unexplained' });
      } else {
        duplicates.add(1, { why: 'unconfirmed' });
      }
      previous = Math.max(previous, n);
    }
    this.confirmed = gone;
    if (answer.messages.length > 0) this.etags.set(answer.next, Math.max(previous, covered));
    this.forget();
  }

  // check returns a message's number, if it is one that was sent, as it was sent.
  check(m) {
    const n = Number(m.properties.n);
    const known = String(m.properties.run) === this.run && m.from === `load://${this.sender}` && n >= 0 && n < this.written;
    if (!known || m.id !== `${this.run}-${this.sender}-${n}` || m.body !== text(this.seed, n, this.hardEvery)) {
      this.complain(`got what was not sent: ${JSON.stringify(m).slice(0, 200)}`, altered);
      return undefined;
    }
    const entry = this.open.get(n);
    if (entry && Number(m.properties.at).toFixed(3) !== entry.at.toFixed(3)) {
      this.complain(`message ${n} has another time than it was sent with`, altered);
    }
    return n;
  }

  // forget drops the oldest of the ETags. Old ones of the last few batches are
  // what a client may come back with.
  forget() {
    for (const etag of this.etags.keys()) {
      if (this.etags.size <= 16) return;
      if (etag !== '') this.etags.delete(etag);
    }
  }

  // missing is how many messages are still to come.
  missing() {
    let n = 0;
    for (const entry of this.open.values()) if (entry.accepted) n += 1;
    return n;
  }

  // close ends the audit.
  close() {
    const gone = [...this.open].filter(([, entry]) => entry.accepted).map(([n]) => n);
    if (gone.length > 0) {
      lost.add(gone.length);
      console.error(`${this.sender}: LOST ${gone.length} of ${this.written} messages: ${gone.slice(0, 10).join(', ')}${gone.length > 10 ? ', …' : ''}`);
    }
    lost.add(0);
  }
}
