// What is said of a channel: note, labels, settings, with the defaults that hold where it says nothing.

import {act, again, say} from './app.js';
import {call, get, path} from './api.js';
import {confirm} from './dialog.js';
import {field, h, replace} from './dom.js';
import {count} from './words.js';

export async function settingsView({name, channel}, body, signal) {
  if (channel.revision === undefined) {
    replace(body, h('p', null, 'What is not there has no settings.'));
    return;
  }
  const [{data, etag}, {defaults}] = await Promise.all([
    call('GET', path`channels/${name}`, {signal}), get('overview', {}, signal),
  ]);
  const note = h('textarea', {id: 'note', rows: 2, cols: 40, value: data.note ?? ''});
  const labels = h('textarea', {id: 'labels', rows: 3, cols: 40, spellcheck: 'false',
    value: Object.entries(data.labels ?? {}).map(([k, v]) => v ? `${k}=${v}` : k).join('\n')});
  const inputs = new Map();
  // Whatever the service knows is shown, also what this page was not written for.
  for (const key of new Set([...Object.keys(defaults), ...Object.keys(data.settings ?? {})])) {
    inputs.set(key, inputFor(key, data.settings?.[key], defaults[key]));
  }
  const save = act(async () => {
    const settings = {};
    for (const [key, input] of inputs) {
      const value = input.read();
      if (value !== undefined) settings[key] = value;
    }
    const pairs = labels.value.split('\n').map((l) => l.trim()).filter(Boolean).map((l) => {
      const at = l.indexOf('=');
      return at < 0 ? [l, ''] : [l.slice(0, at).trim(), l.slice(at + 1).trim()];
    });
    await call('PATCH', path`channels/${name}`, {etag, body: {note: note.value, labels: Object.fromEntries(pairs), settings}});
    again();
    say('The channel is changed.');
  });
  replace(body,
    h('form', {class: 'tall sheet', onsubmit: save},
      h('h2', null, 'Settings'),
      [...inputs].map(([, input]) => input.element),
      field('Note', note), field('Labels, one in a line: name=value', labels),
      h('button', {type: 'submit', class: 'first'}, 'Save')),
    h('section', {class: 'sheet', 'aria-labelledby': 'delete'}, h('h2', {id: 'delete'}, 'Delete the channel'),
      h('p', null, 'With its credentials and all that its queues hold.'),
      h('button', {type: 'button', class: 'danger', onclick: remove}, 'Delete…')));

  function remove() {
    const held = channel.queues.reduce((sum, q) => sum + q.messages, 0);
    confirm(`Delete ${name}?`, `Its credentials and ${count(held, 'message')} are gone for good.`, 'its name', name, 'Delete', async () => {
      await call('DELETE', path`channels/${name}`, {etag});
      location.hash = '#/channels';
    });
  }
}

/** inputFor makes an input for a setting by the kind of its value. Empty is: as configured. */
function inputFor(key, value, standard) {
  const known = value ?? standard;
  const label = [key.replaceAll('_', ' '), standard === undefined ? '' : ` (default: ${plain(standard)})`];
  if (typeof known === 'boolean') {
    const select = h('select', {id: `set-${key}`}, [['', 'as the default'], ['true', 'yes'], ['false', 'no']].map(([v, words]) =>
      h('option', {value: v, selected: v === (value === undefined ? '' : String(value))}, words)));
    return {element: field(label, select), read: () => select.value === '' ? undefined : select.value === 'true'};
  }
  const plainText = typeof known === 'string';
  const isNumber = typeof known === 'number';
  const input = h('input', {id: `set-${key}`, type: isNumber ? 'number' : 'text', autocomplete: 'off', spellcheck: 'false',
    value: value === undefined ? '' : plainText ? value : JSON.stringify(value), placeholder: standard === undefined ? '' : plain(standard)});
  return {element: field(label, input), read: () => {
    const typed = input.value.trim();
    if (typed === '') return undefined;
    return plainText ? typed : JSON.parse(typed);
  }};
}

/** plain writes a default as it would be typed: 336h, not 336h0m0s. */
function plain(v) {
  if (typeof v === 'boolean') return v ? 'yes' : 'no';
  return String(v).replace(/(\d[hm])(0[ms])+$/, '$1');
}
