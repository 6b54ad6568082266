// What a queue holds, and its dead letters. Texts are other people's: they are hidden until asked
// for, one by one, and the service logs each look.

import {act, again, say} from './app.js';
import {call, get, path} from './api.js';
import {confirm} from './dialog.js';
import {facts, field, h, replace, table, text} from './dom.js';
import {ago, bytes, count, number} from './words.js';

const PAGE = 50;

/** messagesView returns the view of a list: "messages" or "dead". */
export const messagesView = (list) => async ({name, query, channel}, body, signal) => {
  const names = channel.queues.map((q) => q.queue);
  const size = (q) => list === 'dead' ? q.dead : q.messages;
  const fullest = channel.queues.reduce((a, b) => size(b) > size(a) ? b : a);
  const queue = names.includes(query.get('queue')) ? query.get('queue') : fullest.queue;
  const held = channel.queues.find((q) => q.queue === queue);
  const where = path`channels/${name}/queues/${queue}`;
  const page = await get(`${where}/${list}`, {text: 'false', limit: PAGE, after: query.get('after') ?? ''}, signal);
  const entries = page.messages;
  const dead = list === 'dead';
  const here = (to) => `#/channel/${encodeURIComponent(name)}/${list}?${new URLSearchParams(to)}`;

  const select = h('select', {id: 'queue', onchange: () => { location.hash = here({queue: select.value}); }},
    channel.queues.map((q) => h('option', {value: q.queue, selected: q.queue === queue}, `${q.queue} (${number(size(q))})`)));
  const bar = h('div', {class: 'bar'}, field('Queue', select));
  replace(body, bar,
    entries.length === 0 ? h('p', null, dead ? 'This queue has no dead letters.' : 'This queue is empty.') : null,
    entries.length ? entriesTable(dead, entries, where, list, marked) : null,
    h('p', {class: 'bar'},
      query.get('after') ? h('a', {href: here({queue})}, 'From the beginning') : null,
      page.next ? h('a', {href: here({queue, after: entries.at(-1).id})}, 'Next page') : null));

  const chosen = new Map();
  const put = h('button', {type: 'button', disabled: true, onclick: () => each('requeue')}, 'Requeue…');
  const drop = h('button', {type: 'button', class: 'danger', disabled: true, onclick: () => each('drop')}, 'Delete…');
  if (dead && entries.length) bar.append(put, drop);
  if (!dead && held.messages > 0) bar.append(h('button', {type: 'button', class: 'danger', onclick: act(purge)}, 'Empty the queue…'));

  function marked(entry, on) {
    if (on) chosen.set(entry.id, entry);
    else chosen.delete(entry.id);
    for (const button of [put, drop]) button.disabled = chosen.size === 0;
    put.textContent = chosen.size ? `Requeue ${chosen.size}…` : 'Requeue…';
    drop.textContent = chosen.size ? `Delete ${chosen.size}…` : 'Delete…';
  }

  function each(what) {
    const n = chosen.size;
    const back = what === 'requeue';
    confirm(back ? `Requeue ${count(n, 'dead letter')}?` : `Delete ${count(n, 'dead letter')}?`,
      back ? `They are put at the end of ${queue}, and given out again.` : 'They are gone for good.',
      'their number', n, back ? 'Requeue' : 'Delete', async () => {
        let done = 0;
        try {
          for (const id of [...chosen.keys()]) {
            const one = path`${id}`;
            if (back) await call('POST', `${where}/dead/${one}/requeue`);
            else await call('DELETE', `${where}/dead/${one}`);
            chosen.delete(id);
            done++;
          }
        } catch (e) {
          if (done > 0) e.message = `${done} of ${n} are done, then: ${e.message}`;
          throw e;
        }
        again();
        say(back ? `${count(done, 'message')} put back into ${queue}.` : `${count(done, 'dead letter')} deleted.`);
      });
  }

  async function purge() {
    const {messages} = await get(where, {});
    confirm(`Empty ${queue}?`, `All ${count(messages, 'message')} of it are gone for good, given out or not. Dead letters stay.`,
      'their number', messages, 'Empty it', async () => {
        const {data} = await call('DELETE', `${where}/messages`, {query: {count: messages}});
        again();
        say(`${count(data.messages, 'message')} dropped from ${queue}.`);
      });
  }

};

function entriesTable(dead, entries, where, list, marked) {
  const rows = new Map();
  return table(dead ? 'Dead letters, the oldest first' : 'Messages, the oldest first', [
    ...dead ? [{name: 'Choose', cell: (e) => h('input', {
      type: 'checkbox', 'aria-label': `Choose ${e.id}`, onchange: (event) => marked(e, event.target.checked),
    })}] : [],
    {name: 'Place', head: true, cell: (e) => h('code', null, e.id)},
    {name: dead ? 'Dead since' : 'Waits since', cell: (e) => ago(e.stored)},
    {name: 'Id', cell: (e) => text(e.message.id ?? '')},
    {name: 'From', cell: (e) => text(e.message.from ?? '')},
    {name: 'To', cell: (e) => text(e.message.to ?? '')},
    {name: 'Size', number: true, cell: (e) => bytes(e.bytes)},
    ...dead ? [{name: 'Given out', number: true, cell: (e) => e.deliveries ? count(e.deliveries, 'time') : ''}] : [],
    {name: 'Text', cell: (e) => lookButton(e, where, list, rows)},
    ...dead ? [] : [{name: 'Cancel', cell: (e) => h('button', {
      type: 'button', class: 'danger', 'aria-label': `Cancel ${e.id}`, onclick: act(() => cancel(e, where)),
    }, 'Cancel…')}],
  ], entries, (e, columns) => {
    const cell = h('td', {colspan: columns});
    const row = h('tr', {hidden: true}, cell);
    rows.set(e.id, {row, cell});
    return row;
  });
}

function lookButton(entry, where, list, rows) {
  const button = h('button', {
    type: 'button', 'aria-expanded': 'false', 'aria-label': `Show the text of ${entry.id}`,
    onclick: act(async () => {
      const {row, cell} = rows.get(entry.id);
      if (row.hidden && !row.dataset.read) {
        const page = await get(`${where}/${list}`, {limit: 1, after: before(entry.id)});
        const found = page.messages.find((e) => e.id === entry.id);
        replace(cell, found ? whole(found) : h('p', null, 'It is not here any more.'));
        row.dataset.read = 'yes';
      }
      row.hidden = !row.hidden;
      button.setAttribute('aria-expanded', String(!row.hidden));
      button.textContent = row.hidden ? 'Show' : 'Hide';
      button.setAttribute('aria-label', `${button.textContent} the text of ${entry.id}`);
    }),
  }, 'Show');
  return button;
}

/** cancel takes one message out of its queue, if nobody is given it between the question and the answer. */
async function cancel(entry, where) {
  const one = `${where}/messages/${path`${entry.id}`}`;
  const {data, etag} = await call('GET', one, {query: {text: 'false'}});
  const out = data.deliveries ? ` It was given out ${count(data.deliveries, 'time')}: whoever has it may have handled it.` : '';
  confirm('Cancel this message?', `Nobody is given it any more, and it can't be brought back.${out}`, 'its size in bytes', data.bytes, 'Cancel the message', async () => {
    await call('DELETE', one, {etag});
    again();
    say('The message was taken out of its queue.');
  });
}

/** before is the place just before another one: with it as "after" a page begins there. */
function before(id) {
  const [ms, sequence] = id.split('-').map(BigInt);
  return sequence > 0n ? `${ms}-${sequence - 1n}` : `${ms - 1n}-18446744073709551615`;
}

/** whole shows all of an entry: the text first, then its other properties, then what the service knows of it. */
function whole({message, id, stored, bytes: size, deliveries, ...evidence}) {
  const {id: _, from, to, body, subject, ...others} = message; // the row has the first three
  const value = (v) => typeof v === 'object' ? h('pre', null, text(JSON.stringify(v, null, 1))) : text(v);
  return [
    subject ? h('p', null, h('strong', null, text(subject))) : null,
    h('p', {class: 'message', dir: 'auto'}, body ? text(body) : h('span', {class: 'quiet'}, 'It has no text.')),
    facts(...Object.entries(others).map(([name, v]) => [text(name), value(v)]),
      ...Object.entries(evidence).map(([name, v]) => [text(name.replaceAll('_', ' ')), value(v)])),
  ];
}
