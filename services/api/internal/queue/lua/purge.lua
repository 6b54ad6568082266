-- Takes every message out of a queue, if it holds as many as the operator saw.
--
-- KEYS[1] -> the queue's stream
-- KEYS[2] -> its meta
-- KEYS[3] -> the partition's queues by oldest message
-- KEYS[4] -> the partition's queues by when that is over its age
-- ARGV[1] -> the queue's name among the partition's queues
-- ARGV[2] -> how many messages it is to hold
--
-- Returns {1: purged, 0: it holds another number; how many it held}
local k = {stream = KEYS[1], meta = KEYS[2], oldest = KEYS[3], due = KEYS[4]}
local held = redis.call('XLEN', k.stream)
if held ~= tonumber(ARGV[2]) then return {0, held} end
if held > 0 then
  ack_up_to(k.stream, '+')
  redis.call('XTRIM', k.stream, 'MAXLEN', '=', '0')
  head_moved(k, ARGV[1], 0, nil, nil)
end
return {1, held}
