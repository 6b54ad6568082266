#!/usr/bin/env python3
"""send.py URL FILE: sends each message of FILE, a line of JSON with an "id" each, and ends.
QST_USER and QST_PASSWORD are the credentials. FILE.sent keeps how many were stored: called
again, it goes on. The ids are in the file before anything is sent, so that the service knows
a message that it is sent again."""
import base64, http.client, json, os, random, sys, time, urllib.error, urllib.request

class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None  # a POST that is redirected would become a GET, which takes messages

url, path = sys.argv[1], sys.argv[2]
user = f"{os.getenv('QST_USER', '')}:{os.getenv('QST_PASSWORD', '')}".encode()
headers = {"Content-Type": "application/json"}
if user != b":":
    headers["Authorization"] = "Basic " + base64.b64encode(user).decode()
lines = open(path, "rb").read().split(b"\n")[:-1]  # what has no line end is not written to its end
sent = int(open(path + ".sent").read()) if os.path.exists(path + ".sent") else 0
opener, failures, most = urllib.request.build_opener(Stay), 0, 500
while sent < len(lines):
    batch = lines[sent:sent + most]
    while len(batch) > 1 and sum(map(len, batch)) > 1_000_000:
        batch = batch[:len(batch) // 2]
    try:
        with opener.open(urllib.request.Request(url, b"[" + b",".join(batch) + b"]", headers), timeout=75) as answer:
            result = json.load(answer)
        if result["accepted"] + result["duplicates"] != len(batch):
            raise ValueError(result)
        most = 500
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException) as e:
        code, hint = (e.code, e.headers.get("Retry-After", "")) if isinstance(e, urllib.error.HTTPError) else (0, "")
        if code in (400, 413, 415) and len(batch) > 1:
            most = len(batch) // 2  # one of them can never be taken: find out which
            continue
        if code not in (400, 413, 415):
            if 0 < code < 500:
                sys.exit(f"stopped: {e} {e.read().decode()}")  # credentials, the URL: a person has to look
            failures += 1
            time.sleep(random.uniform(0, min(30, 0.2 * 2**min(failures, 10))) + (int(hint) if hint.isdigit() else 0))
            continue
        print("refused:", e.read().decode(), batch[0].decode(), file=sys.stderr)
    failures, sent = 0, sent + len(batch)
    with open(path + ".new", "w") as f:
        f.write(str(sent)), f.flush(), os.fsync(f.fileno())
    os.replace(path + ".new", path + ".sent")
