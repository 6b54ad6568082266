// Channels, where the service has them made by an operator (QST_AUTH=channels):
// through the admin API, if ADMIN_URL and ADMIN_TOKEN are set.
import http from 'k6/http';
import { admin } from './settings.js';

// If-Match: whatever became of a channel since, it goes.
const params = { headers: { Authorization: `Bearer ${admin.token}`, 'Content-Type': 'application/json', 'If-Match': '*' }, tags: { name: 'admin' } };

// open makes a channel with one secret for all its endpoints, and returns that.
export async function open(channel) {
  await ask('POST', '/admin/v1/channels', { name: channel, note: 'a load test; may be deleted' });
  const { secret } = await ask('POST', `/admin/v1/channels/${encodeURIComponent(channel)}/credentials`, { endpoint: 'gateway' });
  for (const endpoint of ['application', 'mailbox']) {
    await ask('POST', `/admin/v1/channels/${encodeURIComponent(channel)}/credentials`, { endpoint, secret });
  }
  return secret;
}

// close deletes it. If it can't, that is no fault of the messages.
export async function close(channel) {
  try {
    await ask('DELETE', `/admin/v1/channels/${encodeURIComponent(channel)}`);
  } catch (error) {
    console.warn(`a channel stays: ${error.message}`);
  }
}

async function ask(method, path, body) {
  const response = await http.asyncRequest(method, admin.url + path, body ? JSON.stringify(body) : null, params);
  if (response.status < 200 || response.status > 299) throw new Error(`${method} ${path}: ${response.status} ${response.body || response.error}`);
  return response.body ? JSON.parse(response.body) : undefined;
}
