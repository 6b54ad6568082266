// Questions before what can't be undone.

import {act, clear, fail} from './app.js';
import {field, h} from './dom.js';

/** open shows a dialog, and returns it. Escape and Close close it; the focus goes back. */
export function open(title, ...content) {
  const dialog = h('dialog', {'aria-labelledby': 'dialog-title'}, h('h2', {id: 'dialog-title'}, title), ...content);
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * confirm asks for a word to be typed, the number of messages for instance, and then does it.
 * What goes wrong is told in the dialog, where the eyes are.
 */
export function confirm(title, explanation, what, word, verb, f) {
  const typed = h('input', {id: 'confirm', autocomplete: 'off', required: true, spellcheck: 'false'});
  const wrong = h('p', {class: 'bad', role: 'alert'});
  const submit = act(async () => {
    wrong.textContent = '';
    if (typed.value.trim() !== String(word)) {
      wrong.textContent = `That is not ${what}: nothing was done.`;
      typed.focus();
      return;
    }
    try {
      await f();
    } catch (e) {
      if (e.status === 401) {
        fail(e);
        return;
      }
      wrong.textContent = e.message;
      return;
    }
    dialog.close();
  });
  const dialog = open(title,
    h('p', null, explanation),
    h('form', {class: 'tall', onsubmit: submit},
      field(h('span', null, `To confirm, type ${what}: `, h('strong', null, String(word))), typed),
      wrong,
      h('div', {class: 'bar'},
        h('button', {type: 'submit', class: 'danger'}, verb),
        h('button', {type: 'button', onclick: () => { clear(); dialog.close(); }}, 'Cancel'))));
  typed.focus();
}
