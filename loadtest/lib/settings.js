// What a run is told by its environment. README.md has the list.

// Replicas or load balancers. A client that can't reach one tries the next.
export const urls = (__ENV.URL || 'http://127.0.0.1:8080').split(',').map((u) => u.trim().replace(/\/$/, ''));

// Where the replicas' metrics are; none: what only they know is not in the report.
export const metricsURLs = (__ENV.METRICS || '').split(',').filter(Boolean);

// Whether the replicas are watched: by METRICS, or in a cluster by METRICS_SERVICE.
export const watching = metricsURLs.length > 0 || Boolean(__ENV.METRICS_SERVICE);

// The admin API, where channels have to be made before they can be used.
export const admin = { url: (__ENV.ADMIN_URL || '').replace(/\/$/, ''), token: __ENV.ADMIN_TOKEN || '' };

// size picks a scenario's numbers: those of SIZE (small if it isn't set), each of
// which its own variable wins over: { messagesPerSecond } is MESSAGES_PER_SECOND.
export function size(sizes) {
  const name = __ENV.SIZE || 'small';
  if (!sizes[name]) throw new Error(`SIZE=${name} is not one of ${Object.keys(sizes).join(', ')}`);
  const chosen = { name };
  for (const [key, value] of Object.entries(sizes[name])) {
    const variable = key.replace(/[A-Z]/g, '_$&').toUpperCase();
    chosen[key] = __ENV[variable] ? Number(__ENV[variable]) : value;
    if (!(chosen[key] >= 0)) throw new Error(`${variable}=${__ENV[variable]} is not a number`);
  }
  return chosen;
}

// below is a threshold: 95 of 100 take less than so many milliseconds. TOLERANCE
// makes it so many times larger, for machines that have much else to do.
export const below = (ms) => [`p(95)<${ms * Number(__ENV.TOLERANCE || 1)}`];
