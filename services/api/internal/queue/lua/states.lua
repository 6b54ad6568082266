-- Keeps what a phone reports of messages.
--
-- KEYS[1] -> <queue>:states, stream: what phones reported of the queue's messages
-- ARGV[1] -> how many reports are kept, about
-- ARGV[2], ARGV[3], … -> per report: id of the message, state, code
--
-- Returns {reports kept}
for i = 2, #ARGV, 3 do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'message', ARGV[i], 'state', ARGV[i + 1], 'code', ARGV[i + 2])
end
return {(#ARGV - 1) / 3}
