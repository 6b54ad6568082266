#!/usr/bin/env php
<?php
// send.php URL FILE: sends each message of FILE, a line of JSON with an "id" each, and ends.
// QST_USER and QST_PASSWORD are the credentials. FILE.sent keeps how many were stored: called
// again, it goes on. The ids are in the file before anything is sent, so that the service knows
// a message that it is sent again. PHP 8.1 or newer.
[, $url, $path] = $argv;
$headers = "Content-Type: application/json\r\n";
$headers .= getenv('QST_USER') ? 'Authorization: Basic ' . base64_encode(getenv('QST_USER') . ':' . getenv('QST_PASSWORD')) : '';

function save(string $path, string $text): void { // whole or not at all
    $f = fopen("$path.new", 'w');
    fwrite($f, $text) === strlen($text) && fsync($f) && fclose($f) && rename("$path.new", $path) || exit("stopped: $path\n");
}

$lines = explode("\n", file_get_contents($path));
array_pop($lines); // what has no line end is not written to its end
$sent = is_file("$path.sent") ? (int) file_get_contents("$path.sent") : 0;
for ($failures = 0, $most = 500; $sent < count($lines);) {
    $batch = array_slice($lines, $sent, $most);
    while (count($batch) > 1 && array_sum(array_map('strlen', $batch)) > 1_000_000) {
        $batch = array_slice($batch, 0, intdiv(count($batch), 2));
    }
    $context = stream_context_create(['http' => ['method' => 'POST', 'header' => $headers, 'content' => '[' . implode(',', $batch) . ']',
        'timeout' => 75, 'ignore_errors' => true, 'follow_location' => 0]]); // redirected, it would become a GET, which takes messages
    $http_response_header = [];
    $answer = (string) @file_get_contents($url, false, $context);
    $header = implode("\n", $http_response_header);
    $status = preg_match('~^HTTP/\S+ (\d+)~', $header, $m) ? (int) $m[1] : 0;
    $result = json_decode($answer, true);
    if ($status === 200 && is_array($result) && ($result['accepted'] ?? 0) + ($result['duplicates'] ?? 0) === count($batch)) {
        $most = 500;
    } elseif (in_array($status, [400, 413, 415]) && count($batch) > 1) {
        $most = intdiv(count($batch), 2); // one of them can never be taken: find out which
        continue;
    } elseif (in_array($status, [400, 413, 415])) {
        fwrite(STDERR, "refused: $answer $batch[0]\n");
    } elseif ($status >= 300 && $status < 500) {
        fwrite(STDERR, "stopped: $status $answer\n"); // credentials, the URL: a person has to look
        exit(1);
    } else { // this may pass, or nobody answered: the same again
        $hint = preg_match('/^Retry-After: *(\d+)/mi', $header, $m) ? (int) $m[1] : 0;
        usleep((int) (1e6 * $hint + mt_rand(0, min(30000, 200 * 2 ** min(++$failures, 10))) * 1000));
        continue;
    }
    $failures = 0;
    save("$path.sent", (string) ($sent += count($batch)));
}
