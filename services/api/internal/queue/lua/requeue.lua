-- Puts a message that was set aside back into its queue, as its newest.
--
-- KEYS[1] -> the queue's stream
-- KEYS[2] -> its meta
-- KEYS[3] -> its waiter
-- KEYS[4] -> its dead messages
-- KEYS[5] -> the partition's queues by oldest message
-- KEYS[6] -> the partition's queues by when that is over its age
-- ARGV[1] -> id of the dead message
-- ARGV[2] -> retention, ms; 0: for ever
-- ARGV[3] -> the queue's name among the partition's queues
-- ARGV[4] -> prefix of the partition's wake streams
--
-- Returns {1: put back, 0: there is no such dead message}
local k = {stream = KEYS[1], meta = KEYS[2], oldest = KEYS[5], due = KEYS[6]}
local entry = redis.call('XRANGE', KEYS[4], ARGV[1], ARGV[1])[1]
if not entry or redis.call('EXISTS', k.stream) == 0 then return {0} end
local json
for i = 1, #entry[2], 2 do
  if entry[2][i] == 'message' then json = entry[2][i + 1] end
end
local tail = redis.call('HGET', k.meta, 'tail')
local held = redis.call('XLEN', k.stream)
local id = redis.call('XADD', k.stream, '*', tail, json)
redis.call('HSET', k.meta, 'tail', whole(tonumber(tail) + #json))
redis.call('XDEL', KEYS[4], ARGV[1])
if held == 0 then head_moved(k, ARGV[3], tonumber(ARGV[2]), id, tail) end
wake(KEYS[3], ARGV[4])
return {1}
