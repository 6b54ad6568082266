// All channels: by name, or those that need somebody first.

import {act, again, say} from './app.js';
import {call, get} from './api.js';
import {open} from './dialog.js';
import {field, h, replace, table, text} from './dom.js';
import {channelLink, silentTable, topTable, unwellTable} from './overview.js';
import {ago, duration, lastSeen, number, states, stateText} from './words.js';

const PAGE = 50; // channels of a page
const LOOK = 20; // requests for one page, where few channels have the label

const ORDERS = {
  name: 'by name', age: 'oldest message first', depth: 'deepest queue first', dead: 'most dead letters first', unwell: 'those that are not well', silent: 'longest silent first',
};

export async function channelsView({query}, main, signal) {
  document.title = 'Channels – QST console';
  const order = ORDERS[query.get('order')] ? query.get('order') : 'name';
  const list = h('div');
  replace(main, h('h1', null, 'Channels'), searchForm(query, order), list);
  if (order === 'name') await byName(query, list, signal);
  else if (order === 'unwell') {
    const {channels, next} = await get('channels', {state: 'any', limit: 1000}, signal);
    replace(list, channels.length ? unwellTable(next ? 'The first 1,000 channels that are not well' : 'Channels that are not well', channels) : h('p', {class: 'good'}, 'No channel is unwell.'));
  } else if (order === 'silent') {
    const {channels} = await get('silent', {limit: 100}, signal);
    replace(list, channels.length ? silentTable('Channels that were not used for longest', channels) : h('p', null, 'No channel was used within 31 days.'));
  } else {
    const {queues} = await get('queues/top', {by: order, limit: 100}, signal);
    replace(list, queues.length ? topTable(`Queues of all channels, ${ORDERS[order]}`, queues, order === 'dead' ? 'dead' : 'messages')
      : h('p', null, order === 'dead' ? 'There are no dead letters.' : 'No queue holds a message.'));
  }
}

function searchForm(query, order) {
  const prefix = h('input', {id: 'prefix', value: query.get('prefix') ?? '', size: 18, spellcheck: 'false'});
  const label = h('input', {id: 'label', value: query.get('label') ?? '', size: 18, placeholder: 'site=north', spellcheck: 'false'});
  const select = h('select', {id: 'order'}, Object.entries(ORDERS).map(([value, words]) => h('option', {value, selected: value === order}, words)));
  const submit = (event) => {
    event.preventDefault();
    const to = new URLSearchParams();
    for (const input of [prefix, label]) {
      if (input.value.trim()) to.set(input.id, input.value.trim());
    }
    if (select.value !== 'name' && to.size === 0) to.set('order', select.value);
    location.hash = `#/channels${to.size ? '?' + to : ''}`;
  };
  return h('form', {role: 'search', 'aria-label': 'Channels', onsubmit: submit},
    field('Name begins with', prefix), field('Label', label), field('Order', select),
    h('button', {type: 'submit', class: 'first'}, 'Show'),
    h('button', {type: 'button', onclick: makeChannel}, 'New channel…'));
}

async function byName(query, list, signal) {
  const filter = {prefix: query.get('prefix') ?? '', label: query.get('label') ?? ''};
  const rows = [];
  let after = query.get('after') ?? '';
  let looks = 0;
  let more = true;
  while (more && rows.length < PAGE && looks++ < LOOK) {
    // With a label a page may be empty, and not the last one.
    const limit = filter.label ? 1000 : PAGE;
    const page = await get('channels', {...filter, after, limit, details: filter.label ? '' : 'true'}, signal);
    rows.push(...page.channels);
    more = Boolean(page.next);
    after = more ? new URL(page.next, location.origin).searchParams.get('after') : '';
    if (rows.length > PAGE) {
      rows.length = PAGE;
      more = true;
      after = rows.at(-1).name;
    }
  }
  if (filter.label) { // found without details, which cost more
    const found = await Promise.all(rows.map((c) => get('channels', {prefix: c.name, limit: 1, details: 'true'}, signal)));
    found.forEach((page, i) => { rows[i] = page.channels.find((c) => c.name === rows[i].name) ?? rows[i]; });
  }
  const link = (words, after_) => {
    const to = new URLSearchParams(Object.entries({...filter, after: after_}).filter(([, v]) => v));
    return h('a', {href: `#/channels${to.size ? '?' + to : ''}`}, words);
  };
  const queue = (c, name) => (c.queues ?? []).find((q) => q.queue === name);
  const depth = (name) => (c) => {
    const q = queue(c, name);
    return q?.messages ? `${number(q.messages)}, ${duration(q.oldest_age_seconds)}` : '';
  };
  replace(list,
    rows.length ? table(`${rows.length} channels${filter.prefix || filter.label ? ' of those asked for' : ''}, in the order of their names`, [
      {name: 'Channel', head: true, cell: (c) => [channelLink(c.name), labels(c.labels), c.note ? h('div', {class: 'quiet'}, text(c.note)) : null]},
      {name: 'State', cell: (c) => stateText(states(c))},
      {name: 'Last seen', cell: (c) => ago(Object.values(c.parties ?? {}).map(lastSeen).filter(Boolean).sort().at(-1)) || 'never'},
      {name: 'Inbound', number: true, cell: depth('inbound')},
      {name: 'Outbound', number: true, cell: depth('outbound')},
      {name: 'Mailbox', number: true, cell: depth('mailbox')},
    ], rows) : h('p', null, more ? 'None yet of those looked at.' : 'There is no such channel.'),
    h('p', {class: 'bar'}, query.get('after') ? link('First page', '') : null, more ? link(rows.length ? 'Next page' : 'Look further', after) : null));
}

export function labels(all) {
  const names = Object.entries(all ?? {});
  return names.length ? h('div', {class: 'labels'}, names.map(([name, value]) => h('span', null, text(value ? `${name}=${value}` : name)))) : null;
}

function makeChannel() {
  const name = h('input', {id: 'new-name', required: true, maxlength: 128, autocomplete: 'off', spellcheck: 'false'});
  const note = h('input', {id: 'new-note', autocomplete: 'off'});
  const wrong = h('p', {class: 'bad', role: 'alert'});
  const submit = act(async () => {
    wrong.textContent = '';
    try {
      await call('POST', 'channels', {body: {name: name.value.trim(), note: note.value}});
    } catch (e) {
      if (e.status === 401) throw e;
      wrong.textContent = e.message;
      return;
    }
    dialog.close();
    const to = `#/channel/${encodeURIComponent(name.value.trim())}/credentials`;
    if (location.hash === to) again();
    else location.hash = to;
    say('The channel was made. It needs credentials.');
  });
  const dialog = open('New channel', h('form', {class: 'tall', onsubmit: submit},
    field('Name', name), field('Note', note), wrong,
    h('div', {class: 'bar'}, h('button', {type: 'submit', class: 'first'}, 'Make it'), h('button', {type: 'button', onclick: () => dialog.close()}, 'Cancel'))));
}
