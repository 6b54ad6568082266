// One channel: who uses it, and its queues as they are over the last minutes.

import {every} from './app.js';
import {get, path} from './api.js';
import {chart, remember} from './chart.js';
import {labels} from './channels.js';
import {credentialsView} from './credentials.js';
import {facts, h, replace, table, text} from './dom.js';
import {messagesView} from './messages.js';
import {settingsView} from './settings.js';
import {ago, bytes, count, duration, lastSeen, number, states, stateText} from './words.js';

const tabs = {
  '': {name: 'Queues', view: queuesView},
  messages: {name: 'Messages', view: messagesView('messages')},
  dead: {name: 'Dead letters', view: messagesView('dead')},
  credentials: {name: 'Credentials', view: credentialsView},
  settings: {name: 'Settings', view: settingsView},
  reports: {name: 'Reports', view: reportsView},
};

export async function channelView({path: [, name, tab = ''], query}, main, signal) {
  document.title = `${name} – QST console`;
  const head = h('div');
  const body = h('div');
  const base = `#/channel/${encodeURIComponent(name)}`;
  replace(main, h('h1', null, text(name)), head,
    h('nav', {class: 'tabs', 'aria-label': 'Of this channel'}, Object.entries(tabs).map(([key, t]) =>
      h('a', {href: base + (key ? '/' + key : ''), 'aria-current': key === tab && 'page'}, t.name))),
    body);
  const refresh = async () => {
    const channel = await lookAt(name, signal);
    replace(head, channel.revision === undefined ? h('p', {class: 'warn'}, 'There is no such channel. What its queues hold is shown all the same.') : null,
      labels(channel.labels), channel.note ? h('p', null, text(channel.note)) : null, stateText(states(channel)));
    return channel;
  };
  const channel = await refresh();
  await (tabs[tab] ?? tabs['']).view({name, query, channel, refresh}, body, signal);
}

/** lookAt returns a channel with its parties and queues. One that is not there has queues. */
async function lookAt(name, signal) {
  const [channel, {queues}] = await Promise.all([
    get(path`channels/${name}`, {}, signal).catch((e) => {
      if (e.status === 404) return {name};
      throw e;
    }),
    get(path`channels/${name}/queues`, {}, signal),
  ]);
  return {...channel, queues};
}

const ROLES = {
  inbound: 'from the gateway, for the application', outbound: 'from the application, for the gateway', mailbox: 'of the URL without a party',
};

async function queuesView({name, refresh}, body, signal) {
  const queues = h('div', {class: 'queues'});
  const parties = h('div');
  replace(body, queues, parties);
  await every(3, async () => {
    const channel = await refresh();
    replace(queues, channel.queues.filter((q) => q.queue !== 'mailbox' || q.messages + q.dead > 0 || q.pushed || q.pulled)
      .map((q) => queueSheet(name, q)));
    replace(parties, partiesTable(channel));
  }, signal);
}

function queueSheet(name, q) {
  const history = remember(`${name} ${q.queue}`, q.messages);
  const link = (list, words) => h('a', {href: `#/channel/${encodeURIComponent(name)}/${list}?queue=${q.queue}`}, words);
  return h('section', {class: 'sheet', 'aria-label': q.queue},
    h('h2', null, q.queue, ' ', h('small', {class: 'quiet'}, ROLES[q.queue] ?? '')),
    facts(
      ['Messages', [number(q.messages), q.messages ? [` (${bytes(q.bytes)}) `, link('messages', 'look')] : null]],
      ['Oldest', q.messages ? duration(q.oldest_age_seconds) : null],
      ['Given out', q.delivered ? `${number(q.delivered)} not confirmed, the first one ${count(q.deliveries, 'time')}` : null],
      ['Dead letters', q.dead ? [number(q.dead), ' ', link('dead', 'look')] : null],
      ['Poll', q.polling ? 'waits now' : 'none waits'],
      ['Pushed', ago(q.pushed) || 'never'], ['Pulled', ago(q.pulled) || 'never'], ['Confirmed', ago(q.confirmed) || 'never']),
    chart(`Messages in ${q.queue}`, history));
}

function partiesTable(channel) {
  const rows = Object.entries(channel.parties ?? {}).filter(([, p]) => lastSeen(p) || p.polling);
  if (rows.length === 0) return null;
  const of = (f) => ([, p]) => f(p);
  return table('Who uses it', [
    {name: 'Party', head: true, cell: ([party]) => party},
    {name: 'State', cell: of((p) => p.polling ? 'waits for messages' : p.connected ? 'connected' : 'silent')},
    {name: 'Last seen', cell: of((p) => ago(lastSeen(p)))},
    {name: 'Address', cell: of((p) => p.address ? text(p.address) : '')},
    {name: 'Program', cell: of((p) => p.user_agent ? text(p.user_agent) : '')},
    {name: 'Says it is', cell: of((p) => p.number ? text(p.number) : '')},
  ], rows);
}

async function reportsView({name}, body, signal) {
  const {states: reports} = await get(path`channels/${name}/states`, {limit: 100}, signal);
  if (reports.length === 0) {
    replace(body, h('p', null, 'The phone has reported nothing.'));
    return;
  }
  // What is shown is what every report has, and whatever else it has.
  const more = [...new Set(reports.flatMap(Object.keys))].filter((k) => !['message', 'state', 'at'].includes(k));
  replace(body, table('What the phone reported of messages, the newest first', [
    {name: 'Message', head: true, cell: (r) => text(r.message)},
    {name: 'State', cell: (r) => text(r.state)},
    {name: 'Reported', cell: (r) => ago(r.at)},
    ...more.map((k) => ({name: k.replaceAll('_', ' '), cell: (r) => r[k] === undefined ? '' : text(typeof r[k] === 'object' ? JSON.stringify(r[k]) : r[k])})),
  ], reports));
}
