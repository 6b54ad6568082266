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
local GAPS = 50 -- between two uses, that are kept of a channel: the last ones
local HOUR = 3600000
local t = call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local noted, i = 0, 3
while i <= #ARGV do
  local name, seen, n = ARGV[i], now - tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local channel = string.sub(name, 1, string.find(name, ':', 1, true) - 1)
  if call('ZSCORE', PARTITION .. 'channels', channel) then
    call('HSET', PARTITION .. 'q:' .. name .. ':activity', unpack(ARGV, i + 3, i + 2 + 2 * n))
    if seen > now - KEPT then -- else it was not used, but refused
      local before = tonumber(call('ZSCORE', KEYS[1], channel) or seen)
      if seen - before >= 1000 then -- less is a second queue, or another replica
        local gaps = PARTITION .. 'gaps:' .. channel
        call('LPUSH', gaps, seen - before)
        call('LTRIM', gaps, 0, GAPS - 1)
        call('PEXPIRE', gaps, KEPT)
        if seen - before >= HOUR then -- a night, a weekend: known by the hour of the day at which it began
          local hours, hour = PARTITION .. 'hours:' .. channel, math.floor(before / HOUR) % 24
          local known = tonumber(call('HGET', hours, hour) or 0)
          call('HSET', hours, hour, math.max(seen - before, math.floor(known * .95)))
          call('PEXPIRE', hours, KEPT)
        end
      end
      call('ZADD', KEYS[1], 'GT', seen, channel) -- another replica may have noted a later use
    end
    for j = i + 3, i + 2 + 2 * n, 2 do
      if ARGV[j] == 'refused' or ARGV[j] == 'superseded' then call('ZADD', PARTITION .. 'hints', now, channel) end
    end
    noted = noted + 1
  end
  i = i + 3 + 2 * n
end
call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - KEPT)
call('ZREMRANGEBYSCORE', PARTITION .. 'hints', '-inf', now - KEPT)
call('PEXPIRE', KEYS[1], KEPT)
return {noted}
