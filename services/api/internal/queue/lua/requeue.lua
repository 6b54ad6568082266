-- Puts a message that was set aside back into its queue, as its newest.
--
-- ARGV[4] -> id of the dead message
--
-- Returns {1: put back, 0: there is no such dead message}
local entry = redis.call('XRANGE', DEAD, ARGV[4], ARGV[4])[1]
if not entry or redis.call('EXISTS', STREAM) == 0 then return {0} end
local json
for i = 1, #entry[2], 2 do
  if entry[2][i] == 'message' then json = entry[2][i + 1] end
end
local held, bytes = measure()
local state = redis.call('HMGET', META, 'tail', 'largest')
local tail, largest = state[1], held > 0 and tonumber(state[2]) or 0
local id = redis.call('XADD', STREAM, '*', tail, json)
redis.call('HSET', META, 'tail', whole(tonumber(tail) + #json), 'largest', whole(math.max(largest, #json)))
redis.call('XDEL', DEAD, ARGV[4])
if held == 0 then head_moved(tonumber(ARGV[3]), id, tail) end
account(held, bytes, held + 1, bytes + #json)
wake()
return {1}
