// The two parties of a channel, as objects: a Gateway pushes, an Application pulls
// and confirms. (Each may do what the other does: an application pushes to its
// endpoint, and the channel's gateway pulls it.) Both retry as the protocol's
// classes of statuses say, and tell what they do not know.
import encoding from 'k6/encoding';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import { now, pause } from './clock.js';
import { formats } from './codec.js';
import { urls } from './settings.js';

const retries = new Counter('qst_retries');

const FIRST_BACKOFF = 100;
const MOST_BACKOFF = 5_000;
const REQUEST_TIMEOUT = 15_000; // above the 13 s that the service lets Redis take

// what the protocol has a client do after an answer.
export function verdict(status) {
  if (status === 200) return 'done';
  if (status === 401 || status === 403) return 'stop';
  // A proxy's 408 and 429 are not the protocol's, and say that it may pass.
  if (status === 0 || status >= 500 || status === 408 || status === 429) return 'retry';
  return 'discard';
}

class Client {
  // options: { endpoint: 'gateway', 'application' or 'mailbox', format, gzip, secret, base }
  // base is the index in URL of the replica to begin with.
  constructor(channel, options = {}) {
    const { endpoint, format = 'json', secret, base = 0 } = options;
    this.path = `/v2/channels/${encodeURIComponent(channel)}${endpoint === 'mailbox' ? '' : `/${endpoint}`}`;
    this.format = formats[format];
    this.formatName = format;
    this.base = base;
    this.headers = secret ? { Authorization: `Basic ${encoding.b64encode(`${channel}:${secret}`)}` } : {};
  }

  // request sends one request, once. A connection that failed has status 0; the
  // next request goes to the next replica.
  async request(method, name, query, body, params = {}) {
    const url = urls[this.base % urls.length] + this.path + query;
    const response = await http.asyncRequest(method, url, body, {
      timeout: REQUEST_TIMEOUT, ...params,
      headers: { ...this.headers, ...params.headers }, tags: { name },
    });
    if (response.status === 0) this.base += 1;
    return response;
  }
}

// backoff is how long to wait before the n-th retry (from 0): twice as long each
// time, spread by half, and never shorter than the server asks for.
function backoff(n, response) {
  const asked = response && Number(response.headers['Retry-After']) * 1000;
  const own = Math.min(MOST_BACKOFF, FIRST_BACKOFF * 2 ** n);
  return Math.max(own * (0.5 + Math.random() / 2), Math.min(asked || 0, MOST_BACKOFF));
}

export class Gateway extends Client {
  constructor(channel, options = {}) {
    super(channel, { endpoint: 'gateway', ...options });
    this.gzip = Boolean(options.gzip);
  }

  // push pushes a batch until it is taken or refused, or time (of now()) is over.
  // Returns { outcome: 'stored', 'refused' or 'unknown', attempts, doubtful,
  // accepted, duplicates, took, detail }; took: milliseconds of the last attempt.
  // doubtful: the batch was sent again although it may have been stored before.
  // timeout, if given, bounds the first attempt: a phone whose network goes away.
  async push(messages, { until = Infinity, timeout } = {}) {
    const body = this.format.encode(messages);
    let doubtful = false;
    for (let attempt = 0; ; attempt += 1) {
      const params = { headers: { 'Content-Type': this.format.type } };
      if (this.gzip) params.compression = 'gzip';
      if (timeout && attempt === 0) params.timeout = timeout;
      const response = await this.request('POST', 'push', '', body, params);
      const known = { attempts: attempt + 1, doubtful, took: response.timings.duration };
      switch (verdict(response.status)) {
        case 'done': {
          const { accepted, duplicates } = this.format.result(response.body);
          return { outcome: 'stored', accepted: Number(accepted), duplicates: Number(duplicates), ...known };
        }
        case 'retry':
          doubtful = true;
          break;
        default: // what stops a client, too: it is a mistake in the test's set-up
          return { outcome: 'refused', detail: `${response.status} ${response.body}`, ...known };
      }
      const wait = backoff(attempt, response);
      if (now() + wait > until) return { outcome: 'unknown', detail: `${response.status} ${response.error}`, ...known };
      retries.add(1, { request: 'push' });
      await pause(wait);
    }
  }
}

export class Application extends Client {
  constructor(channel, options = {}) {
    super(channel, { endpoint: 'application', ...options });
    this.etag = ''; // of the last batch: it confirms everything up to it with the next pull
    this.failures = 0;
  }

  // pull pulls once, confirming what `etag` stands for, and then holds the ETag of
  // the answer. Returns { ok, status, messages, etag: what was confirmed with it,
  // confirmed: how many by this request, or undefined, held: ms until the answer }.
  // wait: seconds to long-poll; 0: none. A pull that failed is not repeated: the
  // caller pulls again, after recover().
  async pull({ wait = 0, max, timeout, etag = this.etag } = {}) {
    const query = [`format=${this.formatName}`];
    if (wait > 0) query.push('long-polling=true', `wait=${wait.toFixed(3)}`);
    if (max) query.push(`max=${max}`);
    if (etag) query.push(`etag=${encodeURIComponent(etag)}`);
    const response = await this.request('GET', wait > 0 ? 'poll' : 'pull', `?${query.join('&')}`, null, {
      timeout: timeout || wait * 1000 + REQUEST_TIMEOUT,
    });
    const answer = { ok: response.status === 200, status: response.status, etag, messages: [], held: response.timings.duration };
    if (!answer.ok) {
      if (verdict(response.status) !== 'retry') throw new Error(`pull: ${response.status} ${response.body}`);
      return answer;
    }
    this.failures = 0;
    answer.messages = this.format.decode(response.body);
    const confirmed = response.headers['Qst-Confirmed'];
    if (confirmed !== undefined) answer.confirmed = Number(confirmed);
    if (response.headers.Etag) this.etag = response.headers.Etag;
    answer.next = this.etag;
    return answer;
  }

  // recover waits as long as a client has to after a pull that failed.
  async recover() {
    retries.add(1, { request: 'pull' });
    await pause(backoff(this.failures, null));
    this.failures += 1;
  }
}
