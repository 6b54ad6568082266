// Figures and states in words.

import {h} from './dom.js';

const numbers = new Intl.NumberFormat('en');

export const number = (n) => numbers.format(n);
export const count = (n, one, many = one + 's') => `${number(n)} ${n === 1 ? one : many}`;

/** duration writes seconds as people do: 3 min 20 s. */
export function duration(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 2 * 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}

export function bytes(n) {
  for (const [unit, size] of [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10]]) {
    if (n >= size) return `${(n / size).toFixed(1)} ${unit}`;
  }
  return `${n} B`;
}

export const seconds = (time) => (Date.now() - Date.parse(time)) / 1000;

/** ago shows a time as how long ago it is; the time itself is its title. */
export function ago(time) {
  if (!time) return '';
  const past = seconds(time);
  return h('time', {datetime: time, title: time}, past < 3 ? 'just now' : past > 0 ? `${duration(past)} ago` : `in ${duration(-past)}`);
}

/** lastSeen is when a party last did something, or null. */
export function lastSeen(party) {
  return [party.pushed, party.pulled, party.confirmed].filter(Boolean).sort().at(-1) ?? null;
}

const PULLS = {inbound: 'application', outbound: 'gateway', mailbox: 'mailbox'};
const PATIENCE = 120; // seconds that a message may wait before somebody should know: as for "connected"

// What the service has found to be wrong with a channel, in words; it looks every minute.
const UNWELL = {
  waiting_unpolled: 'messages wait and nobody polls',
  push_only: 'messages wait, and who is to poll only pushes',
  polled_unconfirmed: 'a client polls and never confirms',
  same_batch: 'a client is given the same messages again and again',
  stopped_401: 'a client stopped: its credentials are refused',
  superseding: 'two clients take each other\'s place',
  quiet: 'quiet for far longer than usual',
};

/** unwellText says what is wrong with a channel, by the service's word for it. */
export const unwellText = (state) => UNWELL[state] ?? String(state).replaceAll('_', ' ');

/**
 * states says how a channel is: [{level: 'good' | 'warn' | 'bad' | 'quiet', words, since}], the worst first.
 * What the service itself has found goes first; what the page can see before that, else.
 */
export function states(channel) {
  const found = (channel.unwell ?? []).map((u) => ({level: 'bad', words: unwellText(u.state), since: u.since}));
  const known = found.length > 0;
  for (const q of channel.queues ?? []) {
    const who = PULLS[q.queue];
    if (!known && q.messages > 0 && q.oldest_age_seconds > PATIENCE && !q.polling) {
      if (q.deliveries > 1 && q.pulled && seconds(q.pulled) < PATIENCE) {
        found.push({level: 'bad', words: `${who} pulls ${q.queue} and never confirms`, since: q.confirmed ?? q.oldest});
      } else if (!q.pulled || seconds(q.pulled) > PATIENCE) {
        found.push({level: 'bad', words: `messages wait in ${q.queue} and nobody pulls`, since: q.pulled ?? q.oldest});
      }
    }
    if (q.dead > 0) found.push({level: 'warn', words: `${count(q.dead, 'dead letter')} in ${q.queue}`});
  }
  const parties = Object.entries(channel.parties ?? {});
  const here = parties.filter(([, p]) => p.connected).map(([name]) => name);
  const seen = parties.map(([, p]) => lastSeen(p)).filter(Boolean).sort().at(-1);
  if (here.length > 0) found.push({level: 'good', words: `${here.join(' and ')} connected`});
  else if (seen) found.push({level: 'quiet', words: 'silent', since: seen});
  else found.push({level: 'quiet', words: 'never used'});
  return found.sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
}

const LEVELS = ['bad', 'warn', 'good', 'quiet'];

/** stateText shows states, one in a line. */
export function stateText(all) {
  return all.map((s) => h('div', {class: s.level}, s.words, s.since ? [' (', ago(s.since), ')'] : null));
}
