-- Puts a batch into a queue: every message of it, or none.
--
-- KEYS[1] -> the queue's stream
-- KEYS[2] -> its meta
-- KEYS[3] -> its waiter
-- KEYS[4] -> the channel's record
-- KEYS[5] -> the partition's channels
-- KEYS[6] -> the partition's queues by oldest message
-- KEYS[7] -> the partition's queues by when that is over its age
-- KEYS[8] -> digests seen in this deduplication window
-- KEYS[9] -> digests seen in the window before
-- ARGV[1] -> most messages the queue may hold
-- ARGV[2] -> most bytes the queue may hold
-- ARGV[3] -> retention, ms; 0: for ever
-- ARGV[4] -> how long the digests of this window live, ms; 0: no deduplication
-- ARGV[5] -> epoch for the queue if it is new
-- ARGV[6] -> channel
-- ARGV[7] -> the queue's name among the partition's queues
-- ARGV[8] -> prefix of the partition's wake streams
-- ARGV[9] -> '1' if the channel must have a record
-- ARGV[10] -> address of the client
-- ARGV[11] -> its user agent
-- ARGV[12], ARGV[13], … -> for each message: digest ('' if its sender gave no id), canonical JSON
--
-- Returns {1: stored, 0: full, -1: no such channel; accepted, duplicates, expired}
local k = {stream = KEYS[1], meta = KEYS[2], waiter = KEYS[3], oldest = KEYS[6], due = KEYS[7]}
local record, channels, seen, seen_before = KEYS[4], KEYS[5], KEYS[8], KEYS[9]
local max_messages, max_bytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local retention, seen_ttl = tonumber(ARGV[3]), tonumber(ARGV[4])
local epoch, channel, member, wakes = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local FIRST = 12
local now = now_ms()

if ARGV[9] == '1' and redis.call('EXISTS', record) == 0 then return {-1, 0, 0, 0} end

-- The first write is one that Redis refuses when it is out of memory; then
-- nothing has been written, and the rest of the script can't fail for that.
redis.call('HSET', k.meta, 'pushed', whole(now), 'pushed_from', ARGV[10], 'pushed_agent', ARGV[11])
if redis.call('EXISTS', k.stream) == 0 then
  redis.call('XGROUP', 'CREATE', k.stream, GROUP, '0', 'MKSTREAM')
  redis.call('HSET', k.meta, 'epoch', epoch, 'head', '0', 'tail', '0', 'largest', '0', 'delivered', '0-0')
  redis.call('ZADD', channels, '0', channel)
end

local expired = expire(k.stream, now, retention)
if expired > 0 then find_head(k, member, retention) end

-- What is new in this batch?
local new, new_bytes, duplicates = {}, 0, 0
local in_batch = {}
for i = FIRST, #ARGV, 2 do
  local digest = ARGV[i]
  local known = false
  if digest ~= '' and seen_ttl > 0 then
    known = in_batch[digest]
      or redis.call('SISMEMBER', seen, digest) == 1
      or redis.call('SISMEMBER', seen_before, digest) == 1
    in_batch[digest] = true
  end
  if known then
    duplicates = duplicates + 1
  else
    new[#new + 1] = i
    new_bytes = new_bytes + #ARGV[i + 1]
  end
end
if #new == 0 then return {1, 0, duplicates, expired} end

-- Is there room for it?
local state = redis.call('HMGET', k.meta, 'head', 'tail', 'largest')
local head, tail, largest = tonumber(state[1]), tonumber(state[2]), tonumber(state[3])
local held = redis.call('XLEN', k.stream)
if held + #new > max_messages or tail - head + new_bytes > max_bytes then
  return {0, 0, 0, expired}
end

local first_id, first_offset = nil, tail
for _, i in ipairs(new) do
  local digest, json = ARGV[i], ARGV[i + 1]
  local id = redis.call('XADD', k.stream, '*', whole(tail), json)
  first_id = first_id or id
  tail = tail + #json
  if #json > largest then largest = #json end
  if digest ~= '' and seen_ttl > 0 then redis.call('SADD', seen, digest) end
end
redis.call('HSET', k.meta, 'tail', whole(tail), 'largest', whole(largest))
if seen_ttl > 0 then redis.call('PEXPIRE', seen, whole(seen_ttl)) end
if held == 0 then head_moved(k, member, retention, first_id, whole(first_offset)) end
wake(k.waiter, wakes)
return {1, #new, duplicates, expired}
