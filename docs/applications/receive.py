#!/usr/bin/env python3
"""receive.py URL FILE: appends each message of a channel to FILE, once, as a line of JSON.
QST_USER and QST_PASSWORD are the credentials. FILE.etag keeps the place."""
import base64, collections, http.client, json, os, random, sys, time, urllib.error, urllib.parse, urllib.request

url, path = sys.argv[1], sys.argv[2]
user = f"{os.getenv('QST_USER', '')}:{os.getenv('QST_PASSWORD', '')}".encode()
headers = {"Authorization": "Basic " + base64.b64encode(user).decode()} if user != b":" else {}

def save(path, text):  # whole or not at all
    with open(path + ".new", "w") as f:
        f.write(text), f.flush(), os.fsync(f.fileno())
    os.replace(path + ".new", path)

out = open(path, "a+b")
out.seek(0)
whole = out.read().rpartition(b"\n")
out.truncate(len(whole[0]) + len(whole[1]))  # what a crash cut short comes again
seen = collections.Counter(whole[0].decode().split("\n"))  # a long-lived program keeps the newest some thousand
etag = open(path + ".etag").read() if os.path.exists(path + ".etag") else ""
failures = 0
while True:
    query = {"format": "json", "long-polling": "true", "wait": "50"} | ({"etag": etag} if etag else {})
    try:
        request = urllib.request.Request(url + "?" + urllib.parse.urlencode(query), headers=headers)
        with urllib.request.urlopen(request, timeout=90) as answer:
            # Numbers as text: a float would lose digits.
            messages, etag_new = json.load(answer, parse_int=str, parse_float=str), answer.headers["ETag"]
    except (OSError, ValueError, http.client.HTTPException) as e:
        hint = ""
        if isinstance(e, urllib.error.HTTPError):
            hint = e.headers.get("Retry-After", "")
            if e.code < 500:
                sys.exit(f"stopped: {e} {e.read().decode()}")  # credentials, the URL: a person has to look
        failures += 1
        time.sleep(random.uniform(0, min(30, 0.2 * 2**min(failures, 10))) + (int(hint) if hint.isdigit() else 0))
        continue
    failures = 0
    here = collections.Counter()
    for line in (json.dumps(m, ensure_ascii=False) for m in messages):
        here[line] += 1
        if here[line] > seen[line]:  # here is where a message is handled
            out.write(line.encode() + b"\n")
            seen[line] += 1
    out.flush(), os.fsync(out.fileno())
    if messages:  # handled first, then confirmed: the next request brings the ETag
        etag = etag_new
        save(path + ".etag", etag)
