// Figures over time. At its end k6 hands a script totals, and no series; but a
// metric's part that has a certain tag can be had by setting a threshold on it. So
// each sample is tagged with its slot of time, and each slot has a threshold that
// always holds.
import { now } from './clock.js';

const SLOTS = 60; // points of a plot
const always = { counter: 'count>=0', trend: 'max>=0' };

let width = 1; // seconds a slot
let count = SLOTS;

// prepare divides a run of so many seconds into slots.
export function prepare(seconds) {
  width = Math.max(1, Math.ceil(seconds / SLOTS));
  count = Math.ceil(seconds / width);
}

export const slotSeconds = () => width;

// slot is the tag of a sample of this moment.
export const slot = (more) => ({ slot: String(Math.min(count - 1, Math.floor(now() / 1000 / width))), ...more });

// thresholds are those that make k6 keep a metric's slots.
export function thresholds(metrics) {
  const all = {};
  for (const [name, kind] of Object.entries(metrics)) {
    for (let i = 0; i < count; i += 1) all[`${name}{slot:${i}}`] = [always[kind]];
  }
  return all;
}

// series takes a metric's slots out of what handleSummary is given: one value a
// slot, null where there is none. stat: 'count', 'max', 'p(95)' …
export function series(metrics, name, stat) {
  return Array.from({ length: count }, (_, i) => {
    const m = metrics[`${name}{slot:${i}}`];
    if (!m) return null;
    const v = m.values[stat];
    return v === undefined ? null : v;
  });
}

export const isSlot = (name) => name.includes('{slot:');
