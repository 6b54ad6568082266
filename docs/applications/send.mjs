#!/usr/bin/env node
// send.mjs URL FILE: sends each message of FILE, a line of JSON with an "id" each, and ends.
// QST_USER and QST_PASSWORD are the credentials. FILE.sent keeps how many were stored: called
// again, it goes on. The ids are in the file before anything is sent, so that the service knows
// a message that it is sent again. Node 18 or newer.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const [url, path] = process.argv.slice(2);
const { QST_USER: user, QST_PASSWORD: password } = process.env;
const headers = { "Content-Type": "application/json" };
if (user) headers.Authorization = "Basic " + Buffer.from(`${user}:${password}`).toString("base64");

function save(file, text) { // whole or not at all
  const fd = openSync(file + ".new", "w");
  writeFileSync(fd, text);
  fsyncSync(fd);
  closeSync(fd);
  renameSync(file + ".new", file);
}

// Bytes, a character each: what is sent is what is in the file. What has no line end is not written to its end.
const lines = readFileSync(path, "latin1").split("\n").slice(0, -1);
let sent = existsSync(path + ".sent") ? Number(readFileSync(path + ".sent", "utf8")) : 0;
for (let failures = 0, most = 500; sent < lines.length;) {
  let batch = lines.slice(sent, sent + most);
  while (batch.length > 1 && batch.join().length > 1_000_000) batch = batch.slice(0, batch.length / 2);
  let status = 0, text = "", hint = 0;
  try {
    const answer = await fetch(url, {
      method: "POST", headers, body: Buffer.from(`[${batch.join()}]`, "latin1"), signal: AbortSignal.timeout(75_000),
      redirect: "manual", // redirected, it would become a GET, which takes messages
    });
    hint = Number(answer.headers.get("Retry-After")) || 0;
    text = await answer.text();
    status = answer.status;
    if (status === 200) {
      const { accepted, duplicates } = JSON.parse(text);
      if (accepted + duplicates !== batch.length) status = 0; // not the service's
    }
  } catch {
    status = 0; // no answer, half of one, or a page that is not the service's
  }
  const never = [400, 413, 415].includes(status);
  if (never && batch.length > 1) {
    most = Math.floor(batch.length / 2); // one of them can never be taken: find out which
    continue;
  } else if (never) {
    console.error(`refused: ${text} ${Buffer.from(batch[0], "latin1")}`);
  } else if (status >= 300 && status < 500) {
    console.error(`stopped: ${status} ${text}`); // credentials, the URL: a person has to look
    process.exit(1);
  } else if (status !== 200) { // this may pass: the same again
    await sleep(Math.random() * Math.min(30_000, 200 * 2 ** Math.min(++failures, 10)) + 1000 * hint);
    continue;
  } else {
    most = 500;
  }
  failures = 0;
  save(path + ".sent", String(sent += batch.length));
}
