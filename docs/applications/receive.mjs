#!/usr/bin/env node
// receive.mjs URL FILE: appends each message of a channel to FILE, once, as a line of JSON.
// QST_USER and QST_PASSWORD are the credentials. FILE.etag keeps the place. Node 18 or newer.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const [url, path] = process.argv.slice(2);
const { QST_USER: user, QST_PASSWORD: password } = process.env;
const headers = user ? { Authorization: "Basic " + Buffer.from(`${user}:${password}`).toString("base64") } : {};

function write(file, flags, text) { // returns when it is on disk
  const fd = openSync(file, flags);
  writeFileSync(fd, text);
  fsyncSync(fd);
  closeSync(fd);
}

const before = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
const whole = before.subarray(0, before.lastIndexOf(10) + 1);
if (whole.length < before.length) truncateSync(path, whole.length); // what a crash cut short comes again
const seen = new Map(); // lines, and how often; a long-lived program keeps the newest some thousand
const count = (map, line) => map.set(line, (map.get(line) ?? 0) + 1).get(line);
for (const line of whole.toString().split("\n")) count(seen, line);
let etag = existsSync(path + ".etag") ? readFileSync(path + ".etag", "utf8") : "";
for (let failures = 0; ;) {
  const query = new URLSearchParams({ format: "json", "long-polling": "true", wait: "50", ...(etag && { etag }) });
  let messages, newETag, hint = 0;
  try {
    const answer = await fetch(`${url}?${query}`, { headers, signal: AbortSignal.timeout(90_000), redirect: "manual" });
    const text = await answer.text();
    if (answer.status !== 200) {
      hint = Number(answer.headers.get("Retry-After")) || 0;
      if (answer.status < 500) { // credentials, the URL: a person has to look
        console.error(`stopped: ${answer.status} ${text}`);
        process.exit(1);
      }
      throw new Error(text);
    }
    JSON.parse(text); // complains of half an answer
    // The messages as they are written: an object of JavaScript's has neither all digits of
    // a number nor the order of names that are numbers. A message has no object in it.
    messages = text.match(/\{(?:"(?:[^"\\]|\\.)*"|[^"}])*\}/g) ?? [];
    newETag = answer.headers.get("ETag");
  } catch {
    await sleep(Math.random() * Math.min(30_000, 200 * 2 ** Math.min(++failures, 10)) + 1000 * hint);
    continue;
  }
  failures = 0;
  const here = new Map();
  const fresh = messages.map((m) => m.replaceAll("\n", " ")).filter((m) => count(here, m) > (seen.get(m) ?? 0));
  if (fresh.length) write(path, "a", fresh.join("\n") + "\n"); // here is where messages are handled
  for (const line of fresh) count(seen, line);
  if (messages.length) { // handled first, then confirmed: the next request brings the ETag
    write(path + ".new", "w", (etag = newETag));
    renameSync(path + ".new", path + ".etag");
  }
}
