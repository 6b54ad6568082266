// What the replicas say of themselves, once a second.
import { sleep } from 'k6';
import http from 'k6/http';
import { Trend } from 'k6/metrics';
import { now } from './clock.js';
import { replicas as discovered } from './kubernetes.js';
import { metricsURLs, watching } from './settings.js';
import { slot } from './slots.js';

// Trends, not gauges: a threshold can ask for a gauge's last value only.
const held = new Trend('qst_watch_polls_held');
const depth = new Trend('qst_watch_queue_messages');
const replicas = new Trend('qst_watch_replicas');
const memory = new Trend('qst_watch_memory_bytes');
const connections = new Trend('qst_watch_redis_connections');

export const watched = {
  qst_watch_polls_held: 'trend', qst_watch_queue_messages: 'trend', qst_watch_replicas: 'trend',
  qst_watch_memory_bytes: 'trend', qst_watch_redis_connections: 'trend',
};

// How far the memory has grown after its first so many seconds, as a share of what
// it may grow by: once more as much, and 64 MiB that a garbage collector may let lie.
const memoryGrowth = new Trend('qst_watch_memory_growth');
let settled = Infinity;
let atFirst = 0;
export const growth = (after) => { settled = after * 1000; };
function grown(bytes) {
  if (now() < settled) atFirst = Math.max(atFirst, bytes);
  else if (atFirst > 0) memoryGrowth.add((bytes - atFirst) / (atFirst + (64 << 20)));
}

// values reads the metrics without labels from Prometheus's text.
function values(text) {
  const found = {};
  for (const [, name, value] of text.matchAll(/^([a-z_]+) ([0-9.e+-]+)$/gm)) found[name] = Number(value);
  return found;
}

// watch is one look at all replicas.
export function watch() {
  if (watching) {
    const where = metricsURLs.length > 0 ? metricsURLs : discovered(now());
    const all = http.batch(where.map((url) => ['GET', url, null, { timeout: 2_000, tags: { name: 'metrics' } }]))
      .filter((r) => r.status === 200).map((r) => values(r.body));
    const each = (name) => all.map((v) => v[name]).filter((v) => v !== undefined);
    const sum = (name) => each(name).reduce((a, b) => a + b, 0);
    replicas.add(all.length, slot());
    if (all.length > 0) {
      held.add(sum('qst_polls_held'), slot());
      memory.add(sum('process_resident_memory_bytes'), slot());
      grown(sum('process_resident_memory_bytes'));
      connections.add(sum('qst_redis_connections_open'), slot());
    }
    // The same from every replica, unless it can't ask.
    if (each('qst_queues_messages').length > 0) depth.add(Math.max(...each('qst_queues_messages')), slot());
  }
  sleep(1);
}
