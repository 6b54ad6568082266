-- Puts a batch into a queue: every message of it, or none.
--
-- KEYS[11] -> set: digests seen in this deduplication window
-- KEYS[12] -> set: digests seen in the window before
-- ARGV[4] -> '1' if the channel must have a record
-- ARGV[5] -> address of the client
-- ARGV[6] -> its user agent
-- ARGV[7] -> channel
-- ARGV[8] -> most messages the queue may hold
-- ARGV[9] -> most bytes the queue may hold
-- ARGV[10] -> how long the digests of this window live, ms; 0: no deduplication
-- ARGV[11] -> epoch for the queue if it is new
-- ARGV[12] -> W3C trace context of this push; '': it is not traced
-- ARGV[13] -> id of the batch's last message; '': the service's own messages, which
--             are not what the client pushed last
-- ARGV[14], ARGV[15], … -> for each message: digest ('' if its sender gave no id), canonical JSON
--
-- Returns {1: stored, 0: full, -1: no such channel; accepted, duplicates, expired}
local seen, seen_before = KEYS[11], KEYS[12]
local retention, max_messages, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[8]), tonumber(ARGV[9])
local seen_ttl, trace = tonumber(ARGV[10]), ARGV[12]
local FIRST = 14
local now = now_ms()

if ARGV[4] == '1' and redis.call('EXISTS', RECORD) == 0 then return {-1, 0, 0, 0} end

-- The first write is one that Redis refuses when it is out of memory; then
-- nothing has been written, and the rest of the script can't fail for that.
redis.call('HSET', META, 'pushed', whole(now), 'pushed_from', ARGV[5], 'pushed_agent', ARGV[6])
if redis.call('EXISTS', STREAM) == 0 then
  redis.call('XGROUP', 'CREATE', STREAM, GROUP, '0', 'MKSTREAM')
  redis.call('HSET', META, 'epoch', ARGV[11], 'head', '0', 'tail', '0', 'largest', '0', 'delivered', '0-0')
  redis.call('ZADD', CHANNELS, '0', ARGV[7])
end

local messages, bytes = measure()
local expired = expire(now, retention)
if expired > 0 then
  find_head(retention)
  local messages_now, bytes_now = measure()
  account(messages, bytes, messages_now, bytes_now)
  messages, bytes = messages_now, bytes_now
end

-- What is new in this batch?
local new, new_bytes = {}, 0
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
  if not known then
    new[#new + 1] = i
    new_bytes = new_bytes + #ARGV[i + 1]
  end
end
local duplicates = (#ARGV - FIRST + 1) / 2 - #new
if #new == 0 then
  if ARGV[13] ~= '' then redis.call('HSET', META, 'last', ARGV[13]) end
  return {1, 0, duplicates, expired}
end

-- Is there room for it?
if messages + #new > max_messages or bytes + new_bytes > max_bytes then
  return {0, 0, 0, expired}
end

local state = redis.call('HMGET', META, 'tail', 'largest')
local tail, largest = tonumber(state[1]), messages > 0 and tonumber(state[2]) or 0
local first_id, first_offset, last_id = nil, tail, nil
local digests = {}
for _, i in ipairs(new) do
  local digest, json = ARGV[i], ARGV[i + 1]
  if trace == '' then
    last_id = redis.call('XADD', STREAM, '*', whole(tail), json)
  else
    last_id = redis.call('XADD', STREAM, '*', whole(tail), json, 'trace', trace)
  end
  first_id = first_id or last_id
  tail = tail + #json
  if #json > largest then largest = #json end
  if digest ~= '' then digests[#digests + 1] = digest end
end
redis.call('HSET', META, 'tail', whole(tail), 'largest', whole(largest))
if ARGV[13] ~= '' then redis.call('HSET', META, 'last', ARGV[13]) end
if trace ~= '' then redis.call('HSET', META, 'traced', last_id) end
if seen_ttl > 0 and #digests > 0 then
  for i = 1, #digests, 1000 do redis.call('SADD', seen, unpack(digests, i, math.min(i + 999, #digests))) end
  redis.call('PEXPIRE', seen, whole(seen_ttl))
end
if messages == 0 then head_moved(retention, first_id, whole(first_offset)) end
account(messages, bytes, messages + #new, bytes + new_bytes)
wake()
return {1, #new, duplicates, expired}
