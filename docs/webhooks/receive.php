<?php
// Receives the messages of a webhook: checks the signature, keeps each batch, answers 200.
// With the secret (whsec_...) in WEBHOOK_SECRET, and the file for the messages in WEBHOOK_FILE.
// On shared hosting: two lines that set these, instead. To try it: php -S 127.0.0.1:8000 receive.php

ini_set('display_errors', '0'); // else PHP answers 200 when something goes wrong
http_response_code(500); // until the messages are kept: they come again

$key = base64_decode(substr(getenv('WEBHOOK_SECRET'), strlen('whsec_')), true);
$file = getenv('WEBHOOK_FILE');

// Whether the body comes from the service, and now: not what somebody recorded.
function good(string $key, string $body): bool
{
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $at = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if (!ctype_digit($at) || abs(time() - (int) $at) > 300) {
        return false;
    }
    $want = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$at.$body", $key, true));
    // While a secret is rotated there are two signatures.
    foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $signature) {
        if (hash_equals($want, $signature)) {
            return true;
        }
    }
    return false;
}

$body = file_get_contents('php://input');
if (!good($key, $body)) {
    http_response_code(401); // the webhook stops, and an operator looks
    exit('the signature is not good');
}
$lines = '';
foreach (json_decode($body, false, 512, JSON_THROW_ON_ERROR) as $message) {
    $lines .= json_encode($message, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR) . "\n";
}
$id = $_SERVER['HTTP_WEBHOOK_ID'];
$lock = fopen("$file.lock", 'c');
flock($lock, LOCK_EX);
// Once: if the 200 did not get through, the batch comes again with the same id.
if ($lines !== '' && @file_get_contents("$file.last") !== $id) {
    if (file_put_contents($file, $lines, FILE_APPEND) !== strlen($lines)) {
        exit('the messages could not be kept');
    }
    file_put_contents("$file.last", $id);
}
http_response_code(200);
