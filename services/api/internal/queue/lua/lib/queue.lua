-- One queue: its keys, its state, and what the partition's indexes say of it.
--
-- KEYS[1] -> qst:{tag}:q:<channel>:<kind>, stream: the queue
-- ARGV[1] -> qst:{tag}: what the keys of the partition start with
-- ARGV[2] -> <channel>:<kind>, the queue's name in the partition's indexes
-- ARGV[3] -> life of the channel's record that the caller has seen; '': no record is needed
-- ARGV[4] -> retention that the caller knows, ms; 0: for ever
-- ARGV[5] -> the service's default retention, ms
-- ARGV[6] -> what the keys of wake streams start with
-- ARGV[7] -> the calling replica
--
-- Every other key is made of these. All of them are in the slot of KEYS[1]:
--   <queue>:meta           hash        the queue's state, below
--   <queue>:seen           hash        digest -> when the message was taken, ms: the present generation
--   <queue>:seen_before    hash        the generation before
--   <queue>:dead           stream      dead letters (see dead.lua)
--   <queue>:ends           sorted set  messages -> when they stop being valid, ms (see validity.lua)
--   <queue>:holes          sorted set  what was taken out of the middle (see remove.lua)
--   <queue>:unreported     stream      messages past their ends that are to be reported (see lapse.lua)
--   <queue>:activity       hash        who used the queue last (see note.lua), and the address that its phone says it has (address.lua)
--   <queue>:states         stream      what was reported of messages (see states.lua)
--   <queue>:traces         stream      traces of the last pushes, for reports to be joined to
--   <queue>:webhook        hash        how the queue's webhook is; its fencing token
--   qst:{tag}:c:<channel>  hash        the channel's record
--   qst:{tag}:channels     sorted set  the partition's channels
--   qst:{tag}:oldest       sorted set  queues that hold messages -> time of the first message, ms, or earlier
--   qst:{tag}:due          sorted set  queues -> when their first message is over its age, ms, or earlier
--   qst:{tag}:depth        sorted set  queues of 16 messages and more -> messages, rounded down to a power of two
--   qst:{tag}:dead         sorted set  queues that have dead letters -> how many
--   qst:{tag}:dead_oldest  sorted set  the same queues -> when the first became one, ms, or earlier
--   qst:{tag}:last_seen    sorted set  channels -> when a client was last seen there, ms
--   qst:{tag}:gaps:<channel>  list     the last gaps between two times that a client was seen there, ms (see note.lua)
--   qst:{tag}:hours:<channel> hash     hour of the day (UTC) -> the longest gap of late that began then, ms (see note.lua)
--   qst:{tag}:hints        sorted set  channels where a client was refused, or superseded often -> when, ms
--   qst:{tag}:unwell       sorted set  channels that are not well (see unwell.lua); unwell_counts, hash: how many
--   qst:{tag}:watched      hash        the replica that looked for those last; expires when it is time to look again
--   qst:{tag}:webhooks     sorted set  queues with a webhook -> when an operator changed it last, µs
--   qst:{tag}:totals       hash        messages, bytes and dead letters in all queues of the partition, exact
--
-- The stream has the consumer group "qst" with the one consumer "c". At all times
--
--     stream = [ pending: delivered, not confirmed ][ never delivered ]
--
-- because delivery goes in order, and what is confirmed, expired or dead-lettered
-- leaves the stream and the pending list in the same step.
--
-- An entry's first field is the message: the field's name is the place of the message
-- in the log of all bytes ever pushed to the queue, the field's value is the payload.
-- So the queue holds meta.tail - meta.head bytes. An entry's second field, "trace", is
-- the W3C trace context of a traced push.
--
-- meta: epoch      first part of ETags, new when the queue is new
--       server     Redis process that changed the queue last (see history.lua)
--       epochs     epochs before this one, where history may have been lost, and their ends
--       life       life of the channel's record that the queue belongs to; '': none
--       messages   entries in the stream
--       head       place of the stream's first entry in the log
--       tail       bytes ever pushed
--       first      time of the stream's first entry, ms, or earlier
--       largest    bytes of the largest message since the queue was last empty
--       pending    entries in the pending list
--       delivered  id of the last entry delivered
--       alone      id of the entry that was the only one in the last answer (see suspect.lua); '': there were more
--       answer     id of the last entry of the last answer (see suspect.lua); ''
--       given      how many entries the last answer had
--       stuck      on which of its entries a client is stuck (see suspect.lua); '': it is not
--       handed     poll that the pending entries were handed to and no client has come since; '': none
--       waiter     poll that waits (see waiter.lua); '': none. A waiter means that the queue is empty.
--       due        the queue's score in the index "due"; 0: it is not there
--       rotate_at  when the digests' next generation begins, ms (see duplicates.lua)
--       last       id of the message that a client pushed last, as the client or the service named it
--       named      message that a version 1 client last named as processed (see etag_version1.lua)
--       traced     time of the last entry with a trace context, ms
--       holes      bytes of the messages taken out of the middle (see remove.lua), which head is beyond
--       ends       when the first of the messages stops being valid, ms, or earlier; 0: none does
--       unreported 1 if there are messages past their ends that are not reported; else 0

local call = redis.call
local STREAM, PARTITION, NAME, LIFE = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local WAKES, REPLICA = ARGV[6], ARGV[7]
local META, RECORD = STREAM .. ':meta', PARTITION .. 'c:' .. string.sub(NAME, 1, string.find(NAME, ':', 1, true) - 1)
local GROUP, CONSUMER = 'qst', 'c'
local HOLES, ENDS = STREAM .. ':holes', STREAM .. ':ends'

-- load returns the queue's state. The epoch is '' if nothing was ever pushed.
local function load()
  local m = call('HMGET', META, 'messages', 'head', 'tail', 'first', 'largest', 'pending', 'due', 'rotate_at', 'traced',
    'epoch', 'life', 'delivered', 'alone', 'handed', 'waiter', 'server', 'epochs', 'holes', 'ends', 'unreported', 'answer', 'given', 'stuck')
  return {
    messages = tonumber(m[1]) or 0, head = tonumber(m[2]) or 0, tail = tonumber(m[3]) or 0, first = tonumber(m[4]) or 0,
    largest = tonumber(m[5]) or 0, pending = tonumber(m[6]) or 0, due = tonumber(m[7]) or 0,
    rotate_at = tonumber(m[8]) or 0, traced = tonumber(m[9]) or 0, epoch = m[10] or '', life = m[11] or '',
    delivered = m[12] or '', alone = m[13] or '', handed = m[14] or '', waiter = m[15] or '', server = m[16] or '', epochs = m[17] or '', changed = {},
    holes = tonumber(m[18]) or 0, ends = tonumber(m[19]) or 0, unreported = tonumber(m[20]) or 0, answer = m[21] or '', given = m[22] or '0', stuck = m[23] or '',
  }
end

-- set changes a field of the state.
local function set(q, field, value)
  q[field], q.changed[field] = value, value
end

-- save writes what of the state was changed.
local function save(q)
  local args, n = {'HSET', META}, 2
  for field, value in pairs(q.changed) do
    args[n + 1], args[n + 2] = field, value
    n = n + 2
  end
  if n > 2 then call(unpack(args)) end
end

-- known tells whether the channel's record is the one that the caller has seen.
local function known(q)
  if LIFE == '' or q.life == LIFE then return true end
  set(q, 'life', LIFE)
  return call('HGET', RECORD, 'life') == LIFE
end

-- now returns the time, ms, and the same in µs as text.
local function now()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000), t[1] .. string.format('%06d', t[2])
end

-- ms returns the time that a stream id begins with.
local function ms(id) return tonumber(string.sub(id, 1, string.find(id, '-', 1, true) - 1)) end

-- measure counts anew what the stream holds. The counts of the state are wrong only where
-- somebody changed the stream by hand, or the state is new. A consumer group that is missing
-- is made again, from the stream's beginning: then everything goes out again.
local function measure(q)
  local ok = redis.pcall('XGROUP', 'CREATE', STREAM, GROUP, '0', 'MKSTREAM')
  if ok.err and not string.find(ok.err, 'BUSYGROUP', 1, true) then error(ok.err) end
  set(q, 'messages', call('XLEN', STREAM))
  set(q, 'pending', call('XPENDING', STREAM, GROUP)[1])
  set(q, 'head', q.tail)
  local first, last = call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1], call('XREVRANGE', STREAM, '+', '-', 'COUNT', 1)[1]
  if first then
    set(q, 'first', ms(first[1]))
    set(q, 'tail', tonumber(last[2][1]) + #last[2][2])
    call('ZREMRANGEBYSCORE', HOLES, '-inf', '(' .. first[2][1])
    call('ZREMRANGEBYSCORE', HOLES, q.tail, '+inf')
    set(q, 'holes', 0)
    for _, hole in ipairs(call('ZRANGE', HOLES, 0, -1)) do set(q, 'holes', q.holes + tonumber(string.match(hole, '%d+$'))) end
    set(q, 'head', tonumber(first[2][1]) + q.holes)
  end
end

-- level rounds a number of messages down to a power of two; 0 below 16.
local function level(messages)
  if messages < 16 then return 0 end
  local _, exponent = math.frexp(messages)
  return 2 ^ (exponent - 1)
end

-- account brings totals and indexes up to date, after what the queue holds has changed
-- from so many messages and bytes to what its state says.
local function account(q, messages, bytes)
  local more, more_bytes = q.messages - messages, q.tail - q.head - bytes
  if more ~= 0 then call('HINCRBY', PARTITION .. 'totals', 'messages', more) end
  if more_bytes ~= 0 then call('HINCRBY', PARTITION .. 'totals', 'bytes', more_bytes) end
  if q.messages == 0 and messages > 0 then
    call('ZREM', PARTITION .. 'oldest', NAME)
  elseif messages == 0 and q.messages > 0 then
    call('ZADD', PARTITION .. 'oldest', q.first, NAME)
  end
  local deep = level(q.messages)
  if deep ~= level(messages) then
    if deep == 0 then call('ZREM', PARTITION .. 'depth', NAME) else call('ZADD', PARTITION .. 'depth', deep, NAME) end
  end
end

-- expect has the sweep look at the queue at a time, ms. An earlier one that is noted already
-- will do: whoever comes then sees how it is.
local function expect(q, when)
  if q.due > 0 and q.due <= when then return end
  set(q, 'due', when)
  call('ZADD', PARTITION .. 'due', when, NAME)
end

-- expect_expiry has the queue looked at when its first message is over its age.
local function expect_expiry(q, retention) if q.messages > 0 and retention > 0 then expect(q, q.first + retention) end end
