// How a queue's depth went, drawn from what the page has seen of it.

import {h} from './dom.js';
import {duration, number} from './words.js';

const KEPT = 600; // seconds
const MAX_QUEUES = 60; // that are remembered, the last ones looked at

const seen = new Map(); // "channel queue" -> [{at, messages}]

/** remember notes how many messages a queue holds now, and returns what is known of the last minutes. */
export function remember(key, messages) {
  const now = Date.now() / 1000;
  const history = (seen.get(key) ?? []).filter((p) => now - p.at < KEPT);
  history.push({at: now, messages});
  seen.delete(key);
  seen.set(key, history);
  if (seen.size > MAX_QUEUES) seen.delete(seen.keys().next().value);
  return history;
}

/** chart draws a history as a line, and says it in words. */
export function chart(title, history) {
  const first = history[0];
  const last = history.at(-1);
  const span = last.at - first.at;
  if (span < 1) return h('p', {class: 'quiet'}, 'The last minutes are drawn as they pass.');
  const width = 320;
  const height = 90;
  const low = 17; // above it the line, below it the words
  const most = Math.max(1, ...history.map((p) => p.messages));
  const x = (at) => (at - first.at) / span * width;
  const y = (messages) => height - low - messages / most * (height - low - 16);
  const line = history.map((p, i) => `${i ? 'L' : 'M'}${x(p.at).toFixed(1)} ${y(p.messages).toFixed(1)}`).join('');
  const change = (last.messages - first.messages) / span * 60;
  const rate = Math.abs(change) < .05 ? 'as many as before' : `${change > 0 ? 'grows' : 'shrinks'} by ${number(Math.round(Math.abs(change) * 10) / 10)} a minute`;
  const words = `From ${number(first.messages)} to ${number(last.messages)} within ${duration(span)}: ${rate}.`;
  return h('div', null,
    h('svg', {class: 'chart', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${title}: ${words}`},
      h('line', {x1: 0, x2: width, y1: y(0), y2: y(0)}),
      h('line', {x1: 0, x2: width, y1: y(most), y2: y(most)}),
      h('text', {x: 0, y: 11}, number(most)),
      h('text', {x: 0, y: height - 4}, `${duration(span)} ago`),
      h('text', {x: width, y: height - 4, 'text-anchor': 'end'}, 'now'),
      h('path', {d: line})),
    h('p', {class: 'quiet'}, words));
}
