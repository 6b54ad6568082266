// The admin API. The token is in this module's memory and nowhere else: it is gone when the page is.

let token = '';

const PREFIX = '/admin/v1/';
const TIMEOUT = 30_000; // the service gives up on Redis far sooner

/** Refused is an answer that is not a success. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** signIn has the following requests sent with a token ('': none). */
export function signIn(with_) { token = with_; }

export function signedIn() { return token !== ''; }

/** path is a path of the API: path`channels/${name}/queues`. What is put in can't lead elsewhere. */
export function path(parts, ...names) {
  return String.raw({raw: parts}, ...names.map(encodeURIComponent));
}

/** call sends a request. It returns {data, etag}, or throws Refused. */
export async function call(method, where, {query, body, etag, signal} = {}) {
  const url = new URL(where.startsWith('/') ? where : PREFIX + where, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== '' && value !== undefined) url.searchParams.set(name, value);
  }
  const headers = {Authorization: `Bearer ${token}`, Accept: 'application/json, application/problem+json'};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (etag) headers['If-Match'] = etag;
  const limit = AbortSignal.timeout(TIMEOUT);
  let answer;
  try {
    answer = await fetch(url, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer',
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new Refused(0, limit.aborted ? 'The service did not answer in time.' : 'The service cannot be reached.');
  }
  const said = await answer.text();
  let data = null;
  try {
    data = said === '' ? null : JSON.parse(said);
  } catch {
    if (answer.ok) throw new Refused(answer.status, 'The answer is not one of the admin API.');
  }
  if (!answer.ok) throw new Refused(answer.status, data?.detail ?? `The service answered ${answer.status}.`);
  return {data, etag: answer.headers.get('ETag')};
}

export const get = async (where, query, signal) => (await call('GET', where, {query, signal})).data;
