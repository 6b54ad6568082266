-- Put before every script of this folder: what they share.
--
-- A queue's stream has group "qst" with the one consumer "c". At all times
--
--     stream = [ delivered, not confirmed: pending in the group ][ never delivered ]
--
-- because delivery goes in order and what is confirmed, expired or set aside
-- leaves the stream and the pending list in the same step.
--
-- An entry has one field: its name is the entry's start in the log of all bytes
-- ever pushed to the queue, its value the message's canonical JSON. So the bytes
-- a queue holds are  meta.tail - meta.head : nothing to add up, nothing to drift.
-- (A message set aside from the middle counts until the head has passed it.)
--
-- meta: epoch      random, new when the stream is new: the first part of ETags
--       tail       bytes ever pushed
--       head       where the stream's first entry starts in them
--       largest    bytes of the largest message ever pushed
--       delivered  id of the last message delivered
--       retention  ms, as it was when the head last moved; 0: for ever
--       pushed, pushed_from, pushed_agent   when (ms) and by whom it was last pushed into
--       pulled, pulled_from, pulled_agent   the same of pulls
--       confirmed                           when (ms) something was last confirmed

local GROUP, CONSUMER = 'qst', 'c'

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

-- Acknowledges what is pending up to id. Returns how many, and the last of them.
local function ack_up_to(stream, id)
  local n, last = 0, nil
  repeat
    local pending = redis.call('XPENDING', stream, GROUP, '-', id, '1000')
    if #pending == 0 then break end
    local ids = {}
    for i, p in ipairs(pending) do ids[i] = p[1] end
    n = n + redis.call('XACK', stream, GROUP, unpack(ids))
    last = ids[#ids]
  until #pending < 1000
  return n, last
end

-- Drops what is older than the retention. Returns how many messages.
local function expire(stream, now, retention)
  if retention <= 0 then return 0 end
  local kept = now - retention
  local n = redis.call('XTRIM', stream, 'MINID', '=', whole(kept))
  if n > 0 then ack_up_to(stream, whole(kept - 1) .. '-18446744073709551615') end
  return n
end

-- Notes where the stream begins, after its first entry has changed. k: the keys
-- meta, oldest and due.
local function head_moved(k, member, retention, first_id, first_offset)
  if first_id then
    local ms = id_parts(first_id)
    redis.call('HSET', k.meta, 'head', first_offset, 'retention', whole(retention))
    redis.call('ZADD', k.oldest, whole(ms), member)
    if retention > 0 then redis.call('ZADD', k.due, whole(ms + retention), member)
    else redis.call('ZREM', k.due, member) end
  else
    redis.call('HSET', k.meta, 'head', redis.call('HGET', k.meta, 'tail') or '0')
    redis.call('ZREM', k.oldest, member)
    redis.call('ZREM', k.due, member)
  end
end

-- The same, when the first entry is not at hand.
local function find_head(k, member, retention)
  local first = redis.call('XRANGE', k.stream, '-', '+', 'COUNT', 1)[1]
  head_moved(k, member, retention, first and first[1], first and first[2][1])
end

-- A waiter is "<since>/<replica>/<poll>". Tells its replica what became of it:
-- 'wake' or 'superseded'. A replica whose wake stream is gone is gone itself.
local function tell(wakes, waiter, what)
  local replica, poll = string.match(waiter, '^%d+/([^/]+)/(%d+)$')
  redis.call('XADD', wakes .. replica, 'NOMKSTREAM', '*', poll, what)
end

-- Wakes the poll that waits, if one does.
local function wake(waiter, wakes)
  local waiting = redis.call('GET', waiter)
  if waiting then
    redis.call('DEL', waiter)
    tell(wakes, waiting, 'wake')
  end
end
