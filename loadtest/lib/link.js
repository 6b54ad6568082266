// A Link is one queue of a channel with both its ends: a sender, a receiver, and
// the ledger between them.
import { Ledger } from './audit.js';
import { now, pause } from './clock.js';
import { Application, Gateway } from './qst.js';

// After the last push, a receiver to which nothing comes for this long waits in
// vain: what is missing then is lost. Above what a replica that was killed, a
// superseded poll or the longest backoff cost.
const PATIENCE = 10_000;

export class Link {
  // options:
  //   run, channel, name  of the run, the channel, and the queue in the test (default: the channel)
  //   seed                which of the texts; also the replica to begin with
  //   from, to            endpoints (default: gateway, application)
  //   sends, takes        formats (default: json, and the same); gzip: of pushes
  //   batch               most messages in a push (default 100)
  //   max                 most messages in an answer (default: the server's)
  //   hold                seconds of a long poll (default 5); 0: the receiver asks every 100 ms instead
  //   hardEvery           every so many-th text is a hard one
  //   secret              of the channel
  constructor({ run, channel, seed, name = channel, from = 'gateway', to = 'application', sends = 'json', takes = sends, gzip, secret, hardEvery, batch = 100, max, hold = 5 }) {
    Object.assign(this, { batch, max, hold });
    // The receiver is at another replica than the sender, where there are two.
    this.gateway = new Gateway(channel, { endpoint: from, format: sends, gzip, secret, base: seed });
    this.application = new Application(channel, { endpoint: to, format: takes, secret, base: seed + 1 });
    this.ledger = new Ledger(run, name, seed, { hardEvery });
    this.sending = true;
    this.until = Infinity;
  }

  // carry sends what arrives until `until`, receives it from `receiveFrom` on, and
  // closes the ledger when everything has come out, or nothing comes any more.
  async carry({ arrivals, until, receiveFrom = 0 }) {
    await Promise.all([this.send(arrivals, until), this.receive(receiveFrom)]);
    this.ledger.close();
  }

  // send is an open model: messages arrive when they do, whatever the service
  // does. Those that arrive while a push is under way wait, and go together in the
  // next one; their time in the queue counts from their arrival.
  //
  // (k6's own arrival-rate executors start iterations on whichever VU is free. The
  // order of a queue, and its audit, need one owner.)
  async send(arrivals, until, push = (messages) => this.push(messages, until)) {
    const waiting = [];
    this.until = until;
    let next = arrivals(now());
    while (now() < until || waiting.length > 0) {
      for (; next <= now() && next < until; next = arrivals(next)) waiting.push(this.ledger.write(next));
      if (waiting.length > 0) await push(waiting.splice(0, this.batch));
      else await pause(Math.min(next, until) - now());
    }
    this.sending = false;
    this.ledger.moved = Math.max(this.ledger.moved, now()); // patience begins
  }

  async push(messages, until, timeout) {
    this.ledger.sent(messages);
    const result = await this.gateway.push(messages, { until: until + PATIENCE, timeout });
    this.ledger.answered(messages, result);
  }

  async receive(from = 0) {
    await pause(from - now());
    while (!this.finished()) await this.pull();
    // Confirm the last batch, and see that nothing comes a second time.
    let answer;
    do answer = await this.pull({ wait: 0 }); while (!answer.ok || answer.messages.length > 0);
  }

  finished() {
    return !this.sending && (this.ledger.missing() === 0 || now() > this.ledger.moved + PATIENCE);
  }

  // pollSeconds is how long the next poll waits: not past the end, when nothing comes.
  pollSeconds() {
    return Math.min(this.hold, Math.max(1, (this.until - now()) / 1000 + 1));
  }

  async pull({ wait = this.pollSeconds(), ...more } = {}) {
    const polled = now();
    const answer = await this.application.pull({ wait, max: this.max, ...more });
    this.ledger.pulled(answer, wait > 0 ? polled : undefined);
    if (!answer.ok) await this.application.recover();
    else if (wait === 0 && this.hold === 0 && answer.messages.length === 0) await pause(100);
    return answer;
  }
}
