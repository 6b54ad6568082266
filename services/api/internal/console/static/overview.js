// How the service is as a whole, and what is unwell.

import {every} from './app.js';
import {get} from './api.js';
import {facts, h, replace, table, text} from './dom.js';
import {ago, bytes, count, duration, number, unwellText} from './words.js';

export const channelLink = (name, more = '') => h('a', {href: `#/channel/${encodeURIComponent(name)}${more}`}, text(name));

const queueLink = (q, list) => h('a', {href: `#/channel/${encodeURIComponent(q.channel)}/${list}?queue=${q.queue}`}, q.queue);

/** topTable lists queues of all channels. */
export function topTable(caption, queues, list = 'messages') {
  return table(caption, [
    {name: 'Channel', head: true, cell: (q) => channelLink(q.channel)},
    {name: 'Queue', cell: (q) => queueLink(q, list)},
    {name: 'Messages', number: true, cell: (q) => number(q.messages)},
    {name: 'Oldest', number: true, cell: (q) => q.messages ? duration(q.oldest_age_seconds) : ''},
    {name: 'Given out', number: true, cell: (q) => q.deliveries ? count(q.deliveries, 'time') : 'never'},
    {name: 'Dead letters', number: true, cell: (q) => number(q.dead)},
    {name: 'Last pull', cell: (q) => q.polling ? 'waits now' : ago(q.pulled) || 'never'},
    {name: 'Last confirmed', cell: (q) => ago(q.confirmed) || 'never'},
  ], queues);
}

export function silentTable(caption, channels) {
  return table(caption, [
    {name: 'Channel', head: true, cell: (c) => channelLink(c.channel)},
    {name: 'Silent for', number: true, cell: (c) => duration(c.silent_seconds)},
    {name: 'Last seen', cell: (c) => h('time', {datetime: c.last_seen}, c.last_seen.replace(/\.\d+Z$/, 'Z').replace('T', ' '))},
  ], channels);
}

/** unwellTable lists channels that are not well. */
export function unwellTable(caption, channels) {
  return table(caption, [
    {name: 'Channel', head: true, cell: (c) => channelLink(c.name)},
    {name: 'What is wrong', cell: (c) => c.unwell.map((u) => h('div', null, unwellText(u.state)))},
    {name: 'Since', cell: (c) => c.unwell.map((u) => h('div', null, ago(u.since)))},
    {name: 'Note', cell: (c) => c.note ? text(c.note) : ''},
  ], channels);
}

const UNWELL_SHOWN = 20;
const LATE = 900; // seconds: a message that waits so long is for somebody to see
const SILENT = 3600;

function unwell(o, silent, ill) {
  const all = [];
  if (o.status !== 'ready') all.push(['bad', `This replica is ${o.status}${o.detail ? ': ' + o.detail : ''}.`]);
  for (const r of o.redis) {
    if (r.max_bytes > 0 && r.used_bytes > .8 * r.max_bytes) {
      all.push(['bad', `Redis ${r.address} uses ${Math.round(100 * r.used_bytes / r.max_bytes)} % of its memory.`]);
    }
  }
  if (o.oldest_age_seconds > LATE) all.push(['bad', `A message waits for ${duration(o.oldest_age_seconds)}.`]);
  if (o.dead > 0) all.push(['warn', `${count(o.dead, 'dead letter')} ${o.dead === 1 ? 'waits' : 'wait'} for somebody to requeue or delete ${o.dead === 1 ? 'it' : 'them'}.`]);
  if (ill.channels.length > 0) all.push(['bad', `${ill.next ? 'More than ' : ''}${count(ill.channels.length, 'channel')} ${ill.channels.length === 1 && !ill.next ? 'is' : 'are'} not well: see below.`]);
  const quiet = silent.filter((c) => c.silent_seconds > SILENT).length;
  if (quiet > 0) all.push(['warn', `${quiet === silent.length && quiet > 1 ? 'At least ' : ''}${count(quiet, 'channel')} fell silent more than an hour ago.`]);
  if (o.auth === 'none') all.push(['warn', 'Everyone may do everything: QST_AUTH is none.']);
  return all.sort(([a], [b]) => (b === 'bad') - (a === 'bad')); // the worst first
}

export async function overviewView(_, main, signal) {
  document.title = 'Overview – QST console';
  const body = h('div');
  let first = true;
  await every(10, async () => {
    const [o, oldest, dead, silent, ill] = await Promise.all([
      get('overview', {}, signal), get('queues/top', {by: 'age', limit: 5}, signal),
      get('queues/top', {by: 'dead', limit: 5}, signal), get('silent', {limit: 5}, signal),
      get('channels', {state: 'any', limit: UNWELL_SHOWN}, signal),
    ]);
    const polls = o.replicas.reduce((sum, r) => sum + r.polls, 0);
    const card = (name, value, more) => h('div', null, h('dt', null, name), h('dd', null, value, more ? h('small', null, more) : null));
    const wrong = unwell(o, silent.channels, ill);
    const memory = o.redis.reduce((sum, r) => sum + r.used_bytes, 0);
    const limit = o.redis.every((r) => r.max_bytes > 0) ? o.redis.reduce((sum, r) => sum + r.max_bytes, 0) : 0;
    replace(body,
      h('section', {class: 'sheet', 'aria-labelledby': 'unwell'}, h('h2', {id: 'unwell'}, 'What is unwell'),
        wrong.length === 0 ? h('p', {class: 'good'}, 'Nothing that this page can see.')
          : h('ul', null, wrong.map(([level, words]) => h('li', {class: level}, text(words))))),
      h('dl', {class: 'cards'},
        card('Messages in all queues', number(o.messages), bytes(o.bytes)),
        card('Oldest message', o.messages ? duration(o.oldest_age_seconds) : '–'),
        card('Dead letters', number(o.dead)),
        card('Channels', number(o.channels), o.active.map((a) => `${number(a.channels)} seen in ${duration(a.within_seconds).replace(/ 0 (min|h|s)$/, '')}`).join(', ')),
        card('Polls that wait', o.replicas.length ? number(polls) : 'not known', o.replicas.length ? `on ${count(o.replicas.length, 'replica')}` : 'QST_REBALANCE_PERCENT is 0'),
        card('Redis memory', o.redis.length ? bytes(memory) : '–', o.redis.length ? limit ? `of ${bytes(limit)}` : 'without a limit' : 'it is inside the process')),
      ill.channels.length ? [unwellTable('Channels that are not well', ill.channels), ill.next ? h('p', null, h('a', {href: '#/channels?order=unwell'}, 'All of them')) : null] : null,
      oldest.queues.length ? topTable('Queues whose oldest message waits longest', oldest.queues) : null,
      dead.queues.length ? topTable('Queues with most dead letters', dead.queues, 'dead') : null,
      silent.channels.length ? silentTable('Channels that were not used for longest', silent.channels) : null,
      o.replicas.length ? table('Replicas', [
        {name: 'Replica', head: true, cell: (r) => text(r.replica)},
        {name: 'Polls', number: true, cell: (r) => number(r.polls)},
      ], o.replicas) : null,
      facts(['Version', text(o.version)]));
    if (first) replace(main, h('h1', null, 'Overview'), body);
    first = false;
  }, signal);
}
