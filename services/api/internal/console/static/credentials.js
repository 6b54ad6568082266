// Who may use a channel. A secret is shown once; a phone's camera can take it from the screen.

import {act, again, say} from './app.js';
import {call, get, path} from './api.js';
import {confirm, open} from './dialog.js';
import {facts, field, h, replace, table, text} from './dom.js';
import {ago} from './words.js';

// Where phones reach the service. The page can't know it: the operator says it once a session.
let publicURL = `${location.protocol}//${location.hostname.includes(':') ? `[${location.hostname}]` : location.hostname}:8080`;

export async function credentialsView({name}, body, signal) {
  const {credentials} = await get(path`channels/${name}/credentials`, {}, signal);
  replace(body,
    h('div', {class: 'bar'}, h('button', {type: 'button', class: 'first', onclick: () => make(name)}, 'New credential…')),
    credentials.length === 0 ? h('p', null, 'Nobody can use this channel: it has no credential.') : table('Credentials', [
      {name: 'Credential', head: true, cell: (c) => [text(c.id), c.note ? h('div', {class: 'quiet'}, text(c.note)) : null]},
      {name: 'Endpoint', cell: (c) => c.endpoint},
      {name: 'May', cell: (c) => c.rights.join(' and ')},
      {name: 'User', cell: (c) => text(c.user)},
      {name: 'Made', cell: (c) => ago(c.created)},
      {name: 'Expires', cell: (c) => c.expires ? h('span', {class: Date.parse(c.expires) < Date.now() ? 'bad' : null},
        Date.parse(c.expires) < Date.now() ? 'expired ' : '', ago(c.expires)) : 'never'},
      {name: 'Change', cell: (c) => h('div', {class: 'bar'},
        h('button', {type: 'button', 'aria-label': `Replace ${c.id}`, onclick: () => make(name, c)}, 'Replace…'),
        h('button', {type: 'button', class: 'danger', 'aria-label': `Revoke ${c.id}`, onclick: () => revoke(name, c)}, 'Revoke…'))},
    ], credentials));
}

function revoke(name, c) {
  confirm(`Revoke ${c.id}?`, `Whoever uses it is refused everywhere, within seconds (QST_AUTH_CACHE): a client stops at that.`,
    'its name', c.id, 'Revoke', async () => {
      await call('DELETE', path`channels/${name}/credentials/${c.id}`);
      again();
      say(`Credential ${c.id} is revoked.`);
    });
}

/** make asks for what a credential is to be: a new one, or the next one in the place of another. */
function make(name, old) {
  const option = (value, chosen) => h('option', {value, selected: value === chosen}, value);
  const endpoint = h('select', {id: 'endpoint'}, ['gateway', 'application', 'mailbox'].map((e) => option(e, old?.endpoint ?? 'gateway')));
  const right = (value) => h('input', {type: 'checkbox', value, checked: old ? old.rights.includes(value) : true});
  const rights = ['push', 'pull'].map(right);
  const id = h('input', {id: 'credential', autocomplete: 'off', placeholder: 'made by the service', spellcheck: 'false'});
  const user = h('input', {id: 'user', autocomplete: 'off', value: old?.user ?? '', placeholder: name, spellcheck: 'false'});
  const note = h('input', {id: 'note', autocomplete: 'off', value: old?.note ?? ''});
  const expires = h('input', {id: 'expires', type: 'datetime-local'});
  const wrong = h('p', {class: 'bad', role: 'alert'});
  const submit = act(async () => {
    wrong.textContent = '';
    const asked = rights.filter((r) => r.checked).map((r) => r.value);
    if (asked.length === 0) {
      wrong.textContent = 'Without a right it is good for nothing: choose push, pull or both.';
      return;
    }
    const body = {endpoint: endpoint.value, rights: asked};
    for (const [key, input] of Object.entries({id, user, note})) {
      if (input.value.trim()) body[key] = input.value.trim();
    }
    if (expires.value) body.expires = new Date(expires.value).toISOString();
    let made;
    try {
      made = (await call('POST', path`channels/${name}/credentials`, {body})).data;
    } catch (e) {
      if (e.status === 401) throw e;
      wrong.textContent = e.message;
      return;
    }
    dialog.close();
    again();
    await showSecret(name, made, old);
  });
  const dialog = open(old ? `Replace ${old.id}` : 'New credential',
    old ? h('p', null, 'The next one and this one work side by side. Revoke this one when the client has the next one.') : null,
    h('form', {class: 'tall', onsubmit: submit},
      field('Endpoint', endpoint),
      h('fieldset', null, h('legend', null, 'May'), rights.map((r) => h('label', {class: 'check'}, r, r.value))),
      field('Name', id), field('User', user), field('Note', note), field('Expires', expires), wrong,
      h('div', {class: 'bar'}, h('button', {type: 'submit', class: 'first'}, 'Make it'), h('button', {type: 'button', onclick: () => dialog.close()}, 'Cancel'))));
}

async function showSecret(name, made, old) {
  // Only here is it needed, and it is the largest part of the page.
  const {qrcode} = await import('./vendor/qrcode.js');
  const url = h('input', {id: 'public', value: publicURL, spellcheck: 'false', autocomplete: 'off'});
  const out = h('div');
  const draw = () => {
    publicURL = url.value.trim().replace(/\/+$/, '');
    const whole = `${publicURL}/v2/channels/${encodeURIComponent(name)}${made.endpoint === 'mailbox' ? '' : '/' + made.endpoint}`;
    replace(out,
      facts(['URL', h('code', {id: 'made-url'}, whole)], ['User', h('code', null, text(made.user))],
        ['Secret', h('code', {class: 'secret', id: 'secret'}, text(made.secret))]),
      drawQR(qrcode, JSON.stringify({url: whole, user: made.user, secret: made.secret})));
  };
  url.addEventListener('input', draw);
  draw();
  const dialog = open(`Credential ${made.id}`,
    h('p', {class: 'warn'}, 'The secret is shown this once: the service keeps only a digest of it.'),
    h('form', {class: 'tall', onsubmit: (e) => e.preventDefault()}, field('The service, as the phone reaches it', url)), out,
    old ? h('p', null, `Revoke ${old.id} when the client uses this one.`) : null,
    h('div', {class: 'bar'}, h('button', {type: 'button', class: 'first', onclick: () => dialog.close()}, 'I have it')));
}

/** drawQR draws a text as a QR code, in the page: the secret goes nowhere else. */
function drawQR(qrcode, words) {
  const code = qrcode(0, 'M');
  // The library takes a string for bytes.
  code.addData(String.fromCharCode(...new TextEncoder().encode(words)), 'Byte');
  code.make();
  const n = code.getModuleCount();
  let d = '';
  for (let y = 0; y < n; y++) {
    for (let x = 0; x < n; x++) {
      if (code.isDark(y, x)) d += `M${x} ${y}h1v1h-1z`;
    }
  }
  return h('svg', {class: 'qr', viewBox: `0 0 ${n} ${n}`, role: 'img', 'aria-label': 'QR code of URL, user and secret, as JSON', 'shape-rendering': 'crispEdges'},
    h('path', {d, fill: '#000'}));
}
