-- Keeps which channels of a partition are not well, and tells what has changed.
--
-- KEYS[1] -> sorted set: "<channel> <condition>" -> since when, ms
-- ARGV[1] -> what the keys of the partition start with
-- ARGV[2], ARGV[3], … -> all that is found: channel, condition, since when, ms
--
-- Returns {{channel, condition, since, …}: what began, {channel, condition, since, …}: what ended}
local call = redis.call
local COUNTS = ARGV[1] .. 'unwell_counts'
local before, began, ended, counts, found = {}, {}, {}, {}, {}
local known = call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #known, 2 do before[known[i]] = known[i + 1] end
for i = 2, #ARGV, 3 do
  local channel, condition, since = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local name = channel .. ' ' .. condition
  if call('ZSCORE', ARGV[1] .. 'channels', channel) then -- else it has been deleted meanwhile
    found[name] = true
    counts[condition] = (counts[condition] or 0) + 1
    if not before[name] then
      call('ZADD', KEYS[1], since, name)
      for _, v in ipairs({channel, condition, since}) do began[#began + 1] = v end
    end
  end
end
for name, since in pairs(before) do
  if not found[name] then
    call('ZREM', KEYS[1], name)
    local channel, condition = string.match(name, '^(%S+) (%S+)$')
    for _, v in ipairs({channel, condition, since}) do ended[#ended + 1] = v end
  end
end
call('UNLINK', COUNTS)
for condition, n in pairs(counts) do call('HSET', COUNTS, condition, n) end
return {began, ended}
