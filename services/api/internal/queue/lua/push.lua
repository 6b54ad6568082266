-- Puts a batch into a queue: every message of it, or none.
--
-- KEYS[1] -> the queue's stream
-- KEYS[2] -> its meta
-- KEYS[3] -> its waiter
-- KEYS[4] -> the partition's channels
-- KEYS[5] -> the partition's queues by oldest message
-- KEYS[6] -> digests seen in this deduplication window
-- KEYS[7] -> digests seen in the window before
-- ARGV[1] -> most messages the queue may hold
-- ARGV[2] -> most bytes the queue may hold
-- ARGV[3] -> retention, ms; 0: for ever
-- ARGV[4] -> how long the digests of this window live, ms; 0: no deduplication
-- ARGV[5] -> epoch for the queue if it is new
-- ARGV[6] -> channel
-- ARGV[7] -> the queue's name among the partition's queues
-- ARGV[8] -> prefix of the partition's wake streams
-- ARGV[9], ARGV[10], … -> for each message: digest ('' if its sender gave no id), canonical JSON
--
-- Returns {stored: 1 or 0 (full), accepted, duplicates, expired}
local stream, meta, waiter, channels, oldest, seen, seen_before = unpack(KEYS)
local max_messages, max_bytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local retention, seen_ttl = tonumber(ARGV[3]), tonumber(ARGV[4])
local epoch, channel, member, wakes = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local now = now_ms()

-- The first write is one that Redis refuses when it is out of memory; then
-- nothing has been written, and the rest of the script can't fail for that.
redis.call('HSET', meta, 'pushed', whole(now))
local is_new = redis.call('EXISTS', stream) == 0
if is_new then
  redis.call('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM')
  redis.call('HSET', meta, 'epoch', epoch, 'head', '0', 'tail', '0', 'largest', '0', 'delivered', '0-0')
  redis.call('ZADD', channels, '0', channel)
end

local expired = expire(stream, now, retention)
if expired > 0 then find_head(stream, meta, oldest, member) end

-- What is new in this batch?
local new, new_bytes, duplicates = {}, 0, 0
local in_batch = {}
for i = 9, #ARGV, 2 do
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
local state = redis.call('HMGET', meta, 'head', 'tail', 'largest')
local head, tail, largest = tonumber(state[1]), tonumber(state[2]), tonumber(state[3])
local held = redis.call('XLEN', stream)
if held + #new > max_messages or tail - head + new_bytes > max_bytes then
  return {0, 0, 0, expired}
end

local first
for _, i in ipairs(new) do
  local digest, json = ARGV[i], ARGV[i + 1]
  local id = redis.call('XADD', stream, '*', whole(tail), json)
  first = first or id
  tail = tail + #json
  if #json > largest then largest = #json end
  if digest ~= '' and seen_ttl > 0 then redis.call('SADD', seen, digest) end
end
redis.call('HSET', meta, 'tail', whole(tail), 'largest', whole(largest))
if seen_ttl > 0 then redis.call('PEXPIRE', seen, whole(seen_ttl)) end
if held == 0 then redis.call('ZADD', oldest, whole((id_parts(first))), member) end

local waiting = redis.call('GET', waiter)
if waiting then
  redis.call('DEL', waiter)
  tell(wakes, waiting, 'wake')
end
return {1, #new, duplicates, expired}
