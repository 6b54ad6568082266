// Elements are made here and nowhere else. What comes from outside becomes text nodes and
// attributes, never markup: the page's policy (Trusted Types) refuses markup anyway.

const SVG = 'http://www.w3.org/2000/svg';
const DRAWN = new Set(['svg', 'path', 'line', 'text', 'title', 'rect']);

/** h makes an element: h('a', {href: '#/', onclick: f, disabled: false}, 'text', [more], null). */
export function h(tag, attributes, ...children) {
  const drawn = DRAWN.has(tag);
  const element = drawn ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value' && !drawn) element.value = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false));
  return element;
}

// What has no shape, or turns the direction of what follows, is shown by its number. Joiners stay:
// Khmer, Arabic and emoji need them.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|[\u{e0000}-\u{e0fff}]/gu;

/** visible is a text in which nothing hides. */
export function visible(text) {
  return String(text).replace(UNSEEN, (c) => `[U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`);
}

/** text shows what somebody else wrote, in the direction of its own script, apart from its surroundings. */
export function text(value) {
  return h('bdi', {dir: 'auto'}, visible(value));
}

/** replace gives an element other children. Where the focus was on one of them, it is on its successor. */
export function replace(parent, ...children) {
  const active = parent.contains(document.activeElement) ? document.activeElement : null;
  const key = active && (active.id || active.getAttribute('href') || active.dataset.key);
  parent.replaceChildren(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false));
  if (!key) return;
  for (const e of parent.querySelectorAll('a, button, input, select')) {
    if ((e.id || e.getAttribute('href') || e.dataset.key) === key) {
      e.focus();
      return;
    }
  }
}

/** table makes a table of rows. A column is {name, cell, number, head}; cell makes what a row has there. */
export function table(caption, columns, rows, extra) {
  const cell = (column, row) => {
    const content = column.cell(row);
    const none = content === '' || content === null;
    return column.head ? h('th', {scope: 'row'}, content)
      : h('td', {class: [column.number && 'number', none && 'none'].filter(Boolean).join(' ') || null, 'data-label': column.name}, content);
  };
  return h('table', null,
    h('caption', null, caption),
    h('thead', null, h('tr', null, columns.map((c) => h('th', {scope: 'col', class: c.number && 'number'}, c.name)))),
    h('tbody', null, rows.map((row) => [h('tr', null, columns.map((c) => cell(c, row))), extra?.(row, columns.length)])));
}

/** facts lists names and values; those without a value are left out. */
export function facts(...pairs) {
  return h('dl', {class: 'facts'}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => [h('dt', null, name), h('dd', null, value)]));
}

/** field is a labelled input. */
export function field(label, input) {
  return h('label', null, label, input);
}
