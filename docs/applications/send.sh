#!/bin/sh
# send.sh URL FILE: sends each message of FILE, a line of JSON with an "id" each, and ends.
# QST_USER and QST_PASSWORD are the credentials. FILE.sent keeps how many were stored: called
# again, it goes on. The ids are in the file before anything is sent, so that the service
# knows a message that it is sent again. Needs curl.
set -eu
url=$1 file=$2 failures=0
sent=$(cat "$file.sent" 2>/dev/null || echo 0)
total=$(wc -l <"$file")
while [ "$sent" -lt "$total" ]; do
	message=$(sed -n "$((sent + 1))p" "$file")
	# The credentials from the standard input: everyone can read a command line.
	status=$(printf 'user = "%s:%s"\n' "${QST_USER-}" "${QST_PASSWORD-}" |
		curl -sS -K - -m 75 -o "$file.answer" -w '%{http_code}' -H 'Content-Type: application/json' --data-binary "$message" "$url") || status=000
	case $status in
	200) ;;
	400 | 413 | 415) echo "refused: $(cat "$file.answer") $message" >&2 ;; # it can never be taken
	4* | 3*) echo "stopped: $status $(cat "$file.answer")" >&2 && exit 1 ;; # a person has to look
	*)
		failures=$((failures < 30 ? failures + 1 : 30))
		sleep "$failures"
		continue
		;;
	esac
	failures=0 sent=$((sent + 1))
	echo "$sent" >"$file.new" && sync "$file.new" && mv "$file.new" "$file.sent"
done
