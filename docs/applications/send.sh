#!/bin/sh
# send.sh URL FILE: sends each message of FILE, a line of JSON with an "id" each, and ends.
# QST_USER and QST_PASSWORD are the credentials. FILE.sent keeps how many were stored: called
# again, it goes on. The ids are in the file before anything is sent, so that the service
# knows a message that it is sent again. Needs curl.
set -eu
url=$1 file=$2 failures=0 most=500
sent=$(cat "$file.sent" 2>/dev/null || echo 0)
total=$(wc -l <"$file") # what has no line end is not written to its end
while [ "$sent" -lt "$total" ]; do
	LC_ALL=C awk -v sent="$sent" -v most="$most" -v total="$total" '
		NR <= sent { next }
		NR > total || NR > sent + most || NR > sent + 1 && size + length > 1000000 { exit }
		{ printf "%s%s\n", size ? "," : "[", $0; size += length + 2 }
		END { print "]" }' "$file" >"$file.batch"
	count=$(($(wc -l <"$file.batch") - 1))
	# The credentials from the standard input: everyone can read a command line.
	status=$(printf '%s:%s\n' "${QST_USER-}" "${QST_PASSWORD-}" | sed 's/[\\"]/\\&/g; s/.*/user = "&"/' |
		curl -sS -K - -m 75 -D "$file.head" -o "$file.answer" -w '%{http_code}' -H 'Content-Type: application/json' --data-binary "@$file.batch" "$url") || status=000
	[ "$status" != 200 ] || grep -q '"accepted":' "$file.answer" || status=000 # a page, and not the service's
	case $status in
	200) most=500 ;;
	400 | 413 | 415) # one of them can never be taken: find out which
		[ "$count" = 1 ] || { most=$((count / 2)) && continue; }
		echo "refused: $(cat "$file.answer" "$file.batch")" >&2
		;;
	4* | 3*) echo "stopped: $status $(cat "$file.answer")" >&2 && exit 1 ;; # a person has to look
	*)
		failures=$((failures < 30 ? failures + 1 : 30))
		hint=$(sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9]\{1,4\}\).*/\1/p' "$file.head" 2>/dev/null || true)
		sleep $((failures > ${hint:-0} ? failures : hint))
		continue
		;;
	esac
	failures=0 sent=$((sent + count))
	echo "$sent" >"$file.new" && sync "$file.new" && mv "$file.new" "$file.sent"
done
