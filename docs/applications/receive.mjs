#!/usr/bin/env node
// receive.mjs URL FILE: appends each message of a channel to FILE, once, as a line of JSON.
// QST_USER and QST_PASSWORD are the credentials. FILE.etag keeps the place. Node 18 or newer.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, truncateSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const [url, path] = process.argv.slice(2);
const { QST_USER: user, QST_PASSWORD: password } = process.env;
const headers = user ? { Authorization: "Basic " + Buffer.from(`${user}:${password}`).toString("base64") } : {};

function write(file, flags, text) { // returns when it is on disk
  const fd = openSync(file, flags);
  writeSync(fd, text);
  fsyncSync(fd);
  closeSync(fd);
}

const before = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
const whole = before.subarray(0, before.lastIndexOf(10) + 1);
if (whole.length < before.length) truncateSync(path, whole.length); // what a crash cut short comes again
const seen = new Set(whole.toString().split("\n")); // a long-lived program keeps the newest some thousand
let etag = existsSync(path + ".etag") ? readFileSync(path + ".etag", "utf8") : "";
for (let failures = 0; ;) {
  const query = new URLSearchParams({ format: "json", "long-polling": "true", wait: "50", ...(etag && { etag }) });
  let messages, newETag;
  try {
    const answer = await fetch(`${url}?${query}`, { headers, signal: AbortSignal.timeout(90_000), redirect: "manual" });
    if (answer.status !== 200) {
      const text = await answer.text();
      if (answer.status < 500) { // credentials, the URL: a person has to look
        console.error(`stopped: ${answer.status} ${text}`);
        process.exit(1);
      }
      throw new Error(text);
    }
    messages = await answer.json();
    newETag = answer.headers.get("ETag");
  } catch {
    await sleep(Math.random() * Math.min(30_000, 200 * 2 ** Math.min(++failures, 10)));
    continue;
  }
  failures = 0;
  const lines = messages.map((m) => JSON.stringify(m)).filter((line) => !seen.has(line) && seen.add(line));
  if (lines.length) write(path, "a", lines.join("\n") + "\n"); // here is where messages are handled
  if (messages.length) { // handled first, then confirmed: the next request brings the ETag
    write(path + ".new", "w", (etag = newETag));
    renameSync(path + ".new", path + ".etag");
  }
}
