-- Put before every script that works on one queue: what they share.
--
-- KEYS[1] -> stream: the queue
-- KEYS[2] -> hash: its meta
-- KEYS[3] -> string: its waiter
-- KEYS[4] -> stream: its dead messages
-- KEYS[5] -> hash: the channel's record
-- KEYS[6] -> sorted set: the partition's channels
-- KEYS[7] -> sorted set: the partition's queues that hold messages, by their first one's time
-- KEYS[8] -> sorted set: the same, by when that one is over its age
-- KEYS[9] -> sorted set: the same, by how many they hold
-- KEYS[10] -> hash: messages and bytes in all the partition's queues
-- ARGV[1] -> the queue's name in those sorted sets
-- ARGV[2] -> prefix of the partition's wake streams
-- ARGV[3] -> retention, ms; 0: for ever
--
-- A queue's stream has group "qst" with the one consumer "c". At all times
--
--     stream = [ delivered, not confirmed: pending in the group ][ never delivered ]
--
-- because delivery goes in order and what is confirmed, expired or set aside
-- leaves the stream and the pending list in the same step.
--
-- An entry's first field is the message: the field's name is the entry's start in
-- the log of all bytes ever pushed to the queue, its value the canonical JSON. So
-- the bytes a queue holds are  meta.tail - meta.head : nothing to add up, nothing
-- to drift. (A message set aside from the middle counts until the head has passed
-- it.) A second field "trace" has the W3C trace context of the push, if it is traced.
--
-- meta: epoch      random, new when the stream is new: the first part of ETags
--       tail       bytes ever pushed
--       head       where the stream's first entry starts in them
--       largest    bytes of the largest message pushed since the queue was last empty
--       delivered  id of the last message delivered
--       last       id of the last message a client pushed, as it or the service named it
--       named      what a version 1 client last named as the message it processed last
--       traced     id of the last message with a trace context
--       retention  ms, as it was when the head last moved; 0: for ever
--       pushed, pushed_from, pushed_agent   when (ms) and by whom it was last pushed into
--       pulled, pulled_from, pulled_agent   the same of pulls
--       confirmed                           when (ms) something was last confirmed

local GROUP, CONSUMER = 'qst', 'c'
local STREAM, META, WAITER, DEAD, RECORD = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local CHANNELS, OLDEST, DUE, DEPTH, TOTALS = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local MEMBER, WAKES = ARGV[1], ARGV[2]

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function whole(n) return string.format('%.0f', n) end

local function id_parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

-- The smallest id after this one.
local function after(id)
  local ms, seq = id_parts(id)
  return whole(ms) .. '-' .. whole(seq + 1)
end

-- Acknowledges what is pending up to id. Returns the ids.
local function ack_up_to(id)
  local acked = {}
  repeat
    local pending = redis.call('XPENDING', STREAM, GROUP, '-', id, '1000')
    if #pending == 0 then break end
    local ids = {}
    for i, p in ipairs(pending) do
      ids[i] = p[1]
      acked[#acked + 1] = p[1]
    end
    redis.call('XACK', STREAM, GROUP, unpack(ids))
  until #pending < 1000
  return acked
end

-- Drops what is older than the retention. Returns how many messages.
local function expire(now, retention)
  if retention <= 0 then return 0 end
  local kept = now - retention
  local n = redis.call('XTRIM', STREAM, 'MINID', '=', whole(kept))
  if n > 0 then ack_up_to(whole(kept - 1) .. '-18446744073709551615') end
  return n
end

-- Notes where the stream begins, after its first entry has changed.
local function head_moved(retention, first_id, first_offset)
  if first_id then
    local ms = id_parts(first_id)
    redis.call('HSET', META, 'head', first_offset, 'retention', whole(retention))
    redis.call('ZADD', OLDEST, whole(ms), MEMBER)
    if retention > 0 then redis.call('ZADD', DUE, whole(ms + retention), MEMBER)
    else redis.call('ZREM', DUE, MEMBER) end
  else
    redis.call('HSET', META, 'head', redis.call('HGET', META, 'tail') or '0')
    redis.call('ZREM', OLDEST, MEMBER)
    redis.call('ZREM', DUE, MEMBER)
  end
end

-- The same, when the first entry is not at hand.
local function find_head(retention)
  local first = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
  head_moved(retention, first and first[1], first and first[2][1])
end

-- What the queue holds: messages and bytes.
local function measure()
  local m = redis.call('HMGET', META, 'head', 'tail')
  return redis.call('XLEN', STREAM), (tonumber(m[2]) or 0) - (tonumber(m[1]) or 0)
end

-- Brings the partition's totals up to date, after what the queue holds has
-- changed from so many messages and bytes to so many.
local function account(messages, bytes, messages_now, bytes_now)
  if messages_now ~= messages then redis.call('HINCRBY', TOTALS, 'messages', whole(messages_now - messages)) end
  if bytes_now ~= bytes then redis.call('HINCRBY', TOTALS, 'bytes', whole(bytes_now - bytes)) end
  if messages_now > 0 then redis.call('ZADD', DEPTH, whole(messages_now), MEMBER)
  else redis.call('ZREM', DEPTH, MEMBER) end
end

-- A waiter is "<since>/<replica>/<poll>". Tells its replica what became of it:
-- 'wake' or 'superseded'. A replica whose wake stream is gone is gone itself.
local function tell(waiter, what)
  local replica, poll = string.match(waiter, '^%d+/([^/]+)/(%d+)$')
  redis.call('XADD', WAKES .. replica, 'NOMKSTREAM', '*', poll, what)
end

-- Wakes the poll that waits, if one does.
local function wake()
  local waiting = redis.call('GET', WAITER)
  if waiting then
    redis.call('DEL', WAITER)
    tell(waiting, 'wake')
  end
end
