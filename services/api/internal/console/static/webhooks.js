// Webhooks of all channels: how each does. What has stopped goes on when an operator says so.

import {act, again, say} from './app.js';
import {call, get, path} from './api.js';
import {h, replace, table, text} from './dom.js';
import {channelLink} from './overview.js';
import {ago, number} from './words.js';

const PAGE = 100;

const LEVELS = {well: 'good', waiting: 'warn', failing: 'bad', stopped: 'bad'};

const STATES = {well: 'well', waiting: 'no worker has it', failing: 'failing; it is tried again', stopped: 'stopped, until it is resumed'};

export async function webhooksView({query}, main, signal) {
  document.title = 'Webhooks – QST console';
  const after = query.get('after') ?? '';
  const {webhooks, next} = await get('webhooks', {limit: PAGE, after}, signal);
  const answer = (d) => d.last_status ? `${d.last_status}` : d.last ? 'none' : '';
  replace(main, h('h1', null, 'Webhooks'),
    webhooks.length ? table('Queues that the service brings to their receivers', [
      {name: 'Channel', head: true, cell: (w) => channelLink(w.channel)},
      {name: 'Queue', cell: (w) => w.queue},
      {name: 'State', cell: ({delivery: d}) => h('div', {class: LEVELS[d.state]}, STATES[d.state] ?? text(d.state), d.stopped ? [' (', ago(d.stopped), ')'] : null)},
      {name: 'Last sent', cell: ({delivery: d}) => ago(d.last) || 'never'},
      {name: 'Last taken', cell: ({delivery: d}) => ago(d.taken) || 'never'},
      {name: 'Answer', cell: ({delivery: d}) => answer(d)},
      {name: 'Failures', number: true, cell: ({delivery: d}) => d.failures ? number(d.failures) : ''},
      {name: 'Next try', cell: ({delivery: d}) => d.next_try ? ago(d.next_try) : ''},
      {name: 'Do', cell: (w) => buttons(w)},
    ], webhooks) : h('p', null, 'No queue has a webhook.'),
    h('p', {class: 'bar'},
      after ? h('a', {href: '#/webhooks'}, 'First page') : null,
      next ? h('a', {href: `#/webhooks?${new URLSearchParams({after: new URL(next, location.origin).searchParams.get('after')})}`}, 'Next page') : null));
}

function buttons({channel, queue, delivery}) {
  const one = path`channels/${channel}/queues/${queue}/webhook`;
  const name = `${channel}, ${queue}`;
  return [
    h('button', {type: 'button', 'aria-label': `Test ${name}`, onclick: act(async () => {
      const {data} = await call('POST', `${one}/test`);
      say(data.status ? `${name}: the receiver answered ${data.status}.` : `${name}: there was no answer.`);
    })}, 'Test'),
    delivery.state === 'stopped' || delivery.state === 'failing' ? [' ', h('button', {type: 'button', class: 'first', 'aria-label': `Resume ${name}`, onclick: act(async () => {
      await call('POST', `${one}/resume`);
      again();
      say(`${name} goes on.`);
    })}, 'Resume')] : null,
  ];
}
