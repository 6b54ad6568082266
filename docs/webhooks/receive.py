#!/usr/bin/env python3
"""Receives the messages of a webhook: checks the signature, keeps each batch, answers 200.

usage: receive.py PORT FILE     with the secret (whsec_...) in WEBHOOK_SECRET

FILE gets a line of JSON for each message. Needs Python 3.8 and nothing else.
"""
import base64, hashlib, hmac, json, os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_") if hasattr(str, "removeprefix")
                       else os.environ["WEBHOOK_SECRET"][len("whsec_"):])
one_at_a_time = threading.Lock()


def good(headers, body):
    """Whether the body comes from the service, and now: not what somebody recorded."""
    id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdigit() or abs(time.time() - int(at)) > 300:
        return False
    want = base64.b64encode(hmac.new(KEY, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    # While a secret is rotated there are two signatures.
    return any(hmac.compare_digest(s, "v1," + want) for s in headers.get("webhook-signature", "").split(" "))


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, text = 200, ""
        if not good(self.headers, body):
            status, text = 401, "the signature is not good"  # the webhook stops, and an operator looks
        else:
            with one_at_a_time:
                keep(self.headers["webhook-id"], json.loads(body))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


def keep(id, messages):
    """Keeps a batch once: if the 200 did not get through, it comes again with the same id."""
    last = FILE + ".last"
    if messages and not (os.path.exists(last) and open(last).read().strip() == id):
        with open(FILE, "a", encoding="utf-8") as f:
            f.writelines(json.dumps(m, ensure_ascii=False) + "\n" for m in messages)
            f.flush()
            os.fsync(f.fileno())
        with open(last, "w") as f:
            f.write(id)


if __name__ == "__main__":
    FILE = sys.argv[2]
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
