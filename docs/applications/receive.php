#!/usr/bin/env php
<?php
// receive.php URL FILE: appends each message of a channel to FILE, once, as a line of JSON.
// QST_USER and QST_PASSWORD are the credentials. FILE.etag keeps the place. PHP 8.1 or newer.
[, $url, $path] = $argv;
$headers = getenv('QST_USER') ? 'Authorization: Basic ' . base64_encode(getenv('QST_USER') . ':' . getenv('QST_PASSWORD')) : '';

function save(string $path, string $text): void { // whole or not at all
    $f = fopen("$path.new", 'w');
    fwrite($f, $text) === strlen($text) && fsync($f) && fclose($f) && rename("$path.new", $path) || exit("stopped: $path\n");
}

$out = fopen($path, 'c+');
$whole = stream_get_contents($out);
$whole = substr($whole, 0, (int) strrpos("\n$whole", "\n"));
ftruncate($out, strlen($whole)); // what a crash cut short comes again
fseek($out, 0, SEEK_END);
$seen = array_count_values(explode("\n", $whole)); // a long-lived program keeps the newest some thousand
$etag = is_file("$path.etag") ? file_get_contents("$path.etag") : '';
for ($failures = 0;;) {
    $query = http_build_query(['format' => 'json', 'long-polling' => 'true', 'wait' => 50] + ($etag === '' ? [] : ['etag' => $etag]));
    $context = stream_context_create(['http' => ['header' => $headers, 'timeout' => 90, 'ignore_errors' => true, 'follow_location' => 0]]);
    $http_response_header = [];
    $answer = @file_get_contents("$url?$query", false, $context);
    $header = implode("\n", $http_response_header);
    $status = preg_match('~^HTTP/\S+ (\d+)~', $header, $m) ? (int) $m[1] : 0;
    if ($status >= 300 && $status < 500) {
        fwrite(STDERR, "stopped: $status $answer\n"); // credentials, the URL: a person has to look
        exit(1);
    }
    if ($status !== 200 || !preg_match('/^\s*\[/', (string) $answer) || json_decode($answer) === null) { // or half an answer
        $hint = preg_match('/^Retry-After: *(\d+)/mi', $header, $m) ? (int) $m[1] : 0;
        usleep((int) (1e6 * $hint + mt_rand(0, min(30000, 200 * 2 ** min(++$failures, 10))) * 1000));
        continue;
    }
    $failures = 0;
    // The messages as they are written: decoded, a number loses digits. A message has no object in it.
    preg_match_all('/\{(?:"[^"\\\\]*+(?:\\\\.[^"\\\\]*+)*+"|[^"}]++)*+\}/', $answer, $m) !== false || exit(preg_last_error_msg() . "\n");
    $here = [];
    foreach ($m[0] as $line) {
        $line = str_replace("\n", ' ', $line);
        $here[$line] = ($here[$line] ?? 0) + 1;
        if ($here[$line] > ($seen[$line] ?? 0)) { // here is where a message is handled
            fwrite($out, "$line\n") === strlen($line) + 1 || exit("stopped: $path\n");
            $seen[$line] = ($seen[$line] ?? 0) + 1;
        }
    }
    fsync($out);
    if ($m[0]) { // handled first, then confirmed: the next request brings the ETag
        preg_match('/^ETag: *(.*?)\s*$/mi', $header, $m);
        save("$path.etag", $etag = $m[1]);
    }
}
