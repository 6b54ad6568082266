#!/usr/bin/env node
// Receives the messages of a webhook: checks the signature, keeps each batch, answers 200.
//
// usage: receive.mjs PORT FILE     with the secret (whsec_...) in WEBHOOK_SECRET
//
// FILE gets a line of JSON for each message. Needs Node 18 and nothing else.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'

const [port, file] = process.argv.slice(2)
const key = Buffer.from(process.env.WEBHOOK_SECRET.slice('whsec_'.length), 'base64')

// Whether the body comes from the service, and now: not what somebody recorded.
function good (headers, body) {
  const id = headers['webhook-id'] ?? ''
  const at = headers['webhook-timestamp'] ?? ''
  if (!/^\d+$/.test(at) || Math.abs(Date.now() / 1000 - Number(at)) > 300) return false
  const want = Buffer.from('v1,' + createHmac('sha256', key).update(`${id}.${at}.`).update(body).digest('base64'))
  // While a secret is rotated there are two signatures.
  return (headers['webhook-signature'] ?? '').split(' ').map(s => Buffer.from(s))
    .some(s => s.length === want.length && timingSafeEqual(s, want))
}

// Keeps a batch once: if the 200 did not get through, it comes again with the same id.
function keep (id, messages) {
  const last = file + '.last'
  if (messages.length === 0 || (existsSync(last) && readFileSync(last, 'utf8') === id)) return
  appendFileSync(file, messages.map(m => JSON.stringify(m) + '\n').join(''), { flush: true })
  writeFileSync(last, id)
}

createServer((request, response) => {
  const parts = []
  request.on('data', part => parts.push(part))
  request.on('end', () => {
    const body = Buffer.concat(parts)
    try {
      if (!good(request.headers, body)) {
        response.writeHead(401).end('the signature is not good') // the webhook stops, and an operator looks
        return
      }
      keep(request.headers['webhook-id'], JSON.parse(body))
      response.writeHead(200).end()
    } catch (error) {
      response.writeHead(500).end(String(error)) // it comes again
    }
  })
}).listen(Number(port), '127.0.0.1')
