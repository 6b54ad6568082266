-- Keeps what a phone reports of messages, if its channel is there.
--
-- KEYS[1] -> <queue>:states, stream: what phones reported of the queue's messages
-- ARGV[1] -> what the keys of the partition start with
-- ARGV[2] -> channel
-- ARGV[3] -> how many reports are kept, about
-- ARGV[4], ARGV[5], … -> per report: id of the message, state, code
--
-- Returns {reports kept}
if not redis.call('ZSCORE', ARGV[1] .. 'channels', ARGV[2]) then return {0} end
for i = 4, #ARGV, 3 do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'message', ARGV[i], 'state', ARGV[i + 1], 'code', ARGV[i + 2])
end
return {(#ARGV - 3) / 3}
