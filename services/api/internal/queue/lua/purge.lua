-- Takes every message out of a queue, if it holds as many as the operator saw.
--
-- ARGV[4] -> how many messages it is to hold
--
-- Returns {1: purged, 0: it holds another number; how many it held}
local held, bytes = measure()
if held ~= tonumber(ARGV[4]) then return {0, held} end
if held > 0 then
  ack_up_to('+')
  redis.call('XTRIM', STREAM, 'MAXLEN', '=', '0')
  head_moved(0, nil, nil)
  account(held, bytes, 0, 0)
end
return {1, held}
