// QSTv2's two formats. A message is { id, from, to, when, body, properties: {…} };
// here a property's value is one string or number.

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\t': '&#9;', '\n': '&#10;', '\r': '&#13;' };
const escape = (s) => String(s).replace(/[&<>"\t\n\r]/g, (c) => escapes[c]);

const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const unescape = (s) => s.replace(/&(#x[0-9a-fA-F]+|#[0-9]+|[a-z]+);/g, (all, e) => {
  if (e[0] !== '#') return named[e] || all;
  return String.fromCodePoint(e[1] === 'x' ? parseInt(e.slice(2), 16) : parseInt(e.slice(1), 10));
});

const fields = ['id', 'from', 'to', 'when', 'subject', 'body'];

const json = {
  type: 'application/json',
  encode: (messages) => JSON.stringify(messages.map(({ properties, ...m }) => ({ ...m, ...properties }))),
  decode: (text) => JSON.parse(text).map((o) => {
    const m = { properties: {} };
    for (const [key, value] of Object.entries(o)) (fields.includes(key) ? m : m.properties)[key] = value;
    return m;
  }),
  result: (text) => JSON.parse(text),
};

// Reads what the service writes, which is not every XML there is.
const xml = {
  type: 'text/xml',
  encode: (messages) => `<messages>${messages.map(({ body, subject, properties, ...m }) => {
    const attributes = Object.entries(m).map(([k, v]) => ` ${k}="${escape(v)}"`).join('');
    const children = Object.entries(properties).map(([k, v]) => `<property name="${escape(k)}" value="${escape(v)}"/>`);
    if (subject !== undefined) children.push(`<subject>${escape(subject)}</subject>`);
    if (body !== undefined) children.push(`<body>${escape(body)}</body>`);
    return `<message${attributes}>${children.join('')}</message>`;
  }).join('')}</messages>`,
  decode: (text) => [...text.matchAll(/<message\b([^>]*?)(?:\/>|>([\s\S]*?)<\/message>)/g)].map(([, attrs, inner = '']) => {
    const m = { ...attributes(attrs), properties: {} };
    for (const [, name, content = ''] of inner.matchAll(/<(subject|body)(?:\/>|>([\s\S]*?)<\/\1>)/g)) m[name] = unescape(content);
    for (const [, attrs] of inner.matchAll(/<property\b([^>]*?)\/?>/g)) {
      const p = attributes(attrs);
      m.properties[p.name] = p.value;
    }
    return m;
  }),
  result: (text) => attributes(text),
};

function attributes(text) {
  const found = {};
  for (const [, name, double, single] of text.matchAll(/([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    found[name] = unescape(double === undefined ? single : double);
  }
  return found;
}

export const formats = { json, xml };
