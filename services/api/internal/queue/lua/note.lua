-- Notes which queues were used lately, and by whom: figures for show, written behind.
-- A channel that has been deleted meanwhile is not noted.
--
-- KEYS[1] -> sorted set: when the partition's channels were last seen, ms
-- ARGV[1] -> what the keys of the partition start with
-- ARGV[2] -> how long it is known when a channel was last seen, ms
-- ARGV[3], … -> per queue: <channel>:<kind>, how long ago it was used, ms, n, then n fields of its activity and their values
--
-- Returns {queues noted}
local call = redis.call
local PARTITION, KEPT = ARGV[1], tonumber(ARGV[2])
local t = call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local noted, i = 0, 3
while i <= #ARGV do
  local name, seen, n = ARGV[i], now - tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local channel = string.sub(name, 1, string.find(name, ':', 1, true) - 1)
  if call('ZSCORE', PARTITION .. 'channels', channel) then
    call('HSET', PARTITION .. 'q:' .. name .. ':activity', unpack(ARGV, i + 3, i + 2 + 2 * n))
    call('ZADD', KEYS[1], 'GT', seen, channel) -- another replica may have noted a later use
    noted = noted + 1
  end
  i = i + 3 + 2 * n
end
call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - KEPT)
call('PEXPIRE', KEYS[1], KEPT)
return {noted}
