// The page's frame: signing in, and which view is shown. A view is a function
// (place, main, signal): it fills main, and ends what it has going on when the signal is aborted.

import {get, signIn, signedIn} from './api.js';
import {field, h, replace} from './dom.js';
import {channelView} from './channel.js';
import {channelsView} from './channels.js';
import {overviewView} from './overview.js';
import {webhooksView} from './webhooks.js';

const main = document.getElementById('main');
const top = document.getElementById('top');
const problem = document.getElementById('problem');
const said = document.getElementById('said');

/** say tells what was done, to screen readers too. */
export function say(words) {
  said.textContent = '';
  requestAnimationFrame(() => { said.textContent = words; });
}

/** fail tells what went wrong. A token that is not taken any more ends the session. */
export function fail(error) {
  if (error.name === 'AbortError') return;
  if (error.status === 401) {
    signOut(signedIn() ? 'The token is not taken any more.' : 'This is not the token.');
    return;
  }
  problem.textContent = error.message;
  problem.hidden = false;
}

/** clear takes away what was told before. */
export function clear() {
  problem.hidden = true;
  problem.textContent = '';
  said.textContent = '';
}

/** act runs what a button does: once at a time, with what goes wrong told. */
export function act(f) {
  return async (event) => {
    event.preventDefault();
    clear();
    const button = event.submitter ?? event.currentTarget;
    button.setAttribute('aria-disabled', 'true');
    if (button.dataset.busy) return;
    button.dataset.busy = 'yes';
    try {
      await f(event);
    } catch (e) {
      fail(e);
    } finally {
      delete button.dataset.busy;
      button.removeAttribute('aria-disabled');
    }
  };
}

/** every runs f now and then every so many seconds while the page is seen, until the signal is aborted. */
export async function every(wait, f, signal) {
  while (!signal.aborted) {
    if (document.visibilityState === 'visible') {
      try {
        await f();
        if (!problem.hidden && problem.dataset.by === 'every') clear();
      } catch (e) {
        if (signal.aborted) return;
        fail(e);
        problem.dataset.by = 'every';
      }
    }
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, wait * 1000);
      signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, {once: true});
    });
  }
}

function signOut(why) {
  signIn('');
  show();
  if (why) fail(new Error(why));
}

function signInView(_, place) {
  const token = h('input', {type: 'password', id: 'token', autocomplete: 'off', required: true, spellcheck: 'false'});
  const submit = act(async () => {
    signIn(token.value.trim());
    try {
      await get('overview');
    } catch (e) {
      signIn('');
      throw e;
    }
    token.value = '';
    show();
  });
  replace(place, h('div', {class: 'sheet signin'},
    h('h1', null, 'QST console'),
    h('form', {class: 'tall', onsubmit: submit},
      field('Admin token', token),
      h('p', {class: 'quiet'}, 'QST_ADMIN_TOKEN of the service. The page forgets it when it is closed or loaded again.'),
      h('button', {class: 'first', type: 'submit'}, 'Sign in'))));
  token.focus();
}

/** place reads the address: #/channel/phone-1/dead?queue=inbound is {path: ['channel', 'phone-1', 'dead'], query}. */
function place() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  return {path: path.split('/').map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  }), query: new URLSearchParams(query)};
}

const views = {'': overviewView, channels: channelsView, channel: channelView, webhooks: webhooksView};
let current = new AbortController();
let shown = '';

function show() {
  current.abort();
  current = new AbortController();
  clear();
  document.querySelectorAll('dialog').forEach((d) => d.remove());
  top.hidden = !signedIn();
  if (!signedIn()) {
    document.title = 'QST console';
    signInView(null, main);
    return;
  }
  const to = place();
  const [name] = to.path;
  for (const link of top.querySelectorAll('nav a')) {
    const here = link.hash === '#/' + name || name === 'channel' && link.hash === '#/channels';
    if (here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const view = views[name];
  if (!view) {
    replace(main, h('h1', null, 'There is no such page'));
    return;
  }
  replace(main, h('p', {class: 'quiet'}, 'Loading…'));
  const {signal} = current;
  view(to, main, signal).catch((e) => { if (!signal.aborted) fail(e); });
  if (shown !== to.path.join('/')) main.focus({preventScroll: true});
  shown = to.path.join('/');
}

/** again shows the present view anew. */
export function again() { show(); }

document.getElementById('signout').addEventListener('click', () => signOut());
window.addEventListener('hashchange', show);
show();
