-- Taking messages out of a queue.
--
-- A message that is taken out of the middle leaves a hole: from the stream's first entry on, the
-- log then has bytes that the queue does not hold. The sorted set HOLES has them, place ->
-- "<id> <bytes>", until the stream begins behind them. The id is that of the first message taken out there.

-- after returns the smallest id after this one.
local function after(id)
  local at = string.find(id, '-', 1, true)
  return string.sub(id, 1, at) .. string.format('%.0f', tonumber(string.sub(id, at + 1)) + 1)
end

-- acknowledge takes what is pending up to an id off the pending list. Returns the ids.
local function acknowledge(q, id)
  if q.pending == 0 then return {} end
  if q.pending == 1 and id == q.delivered and call('XACK', STREAM, GROUP, id) == 1 then
    -- The usual case of one message at a time, in one call.
    set(q, 'pending', 0)
    return {id}
  end
  local all = {}
  repeat
    local page = call('XPENDING', STREAM, GROUP, '-', id, 1000)
    local ids = {}
    for i, p in ipairs(page) do
      ids[i] = p[1]
      all[#all + 1] = p[1]
    end
    if #ids > 0 then set(q, 'pending', q.pending - call('XACK', STREAM, GROUP, unpack(ids))) end
  until #page < 1000
  return all
end

-- forget_ends forgets when messages that leave the queue stop being valid.
local function forget_ends(q, ids)
  if q.ends == 0 then return end
  for i = 1, #ids, 1000 do call('ZREM', ENDS, unpack(ids, i, math.min(i + 999, #ids))) end
end

-- begin_at notes where the stream begins after messages have left it. first is its first
-- entry, if that is at hand.
local function begin_at(q, first)
  if q.messages <= 0 then
    set(q, 'messages', 0)
    set(q, 'head', q.tail)
    set(q, 'largest', 0)
    if q.holes > 0 or q.ends > 0 then call('UNLINK', HOLES, ENDS) end
    for field, none in pairs({holes = 0, ends = 0, stuck = '', answer = ''}) do
      if q[field] ~= none then set(q, field, none) end
    end
    return
  end
  first = first or call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
  if not first then return measure(q) end
  set(q, 'first', ms(first[1]))
  if q.holes > 0 then
    local left = q.holes
    for _, hole in ipairs(call('ZRANGEBYSCORE', HOLES, '-inf', '(' .. first[2][1])) do
      left = left - tonumber(string.match(hole, '%d+$'))
    end
    if left ~= q.holes then
      call('ZREMRANGEBYSCORE', HOLES, '-inf', '(' .. first[2][1])
      set(q, 'holes', left)
    end
  end
  set(q, 'head', tonumber(first[2][1]) + q.holes)
end

-- retention_now returns the channel's retention as it is now, whatever the caller remembers: to
-- drop a message by a setting that does not hold any more would lose it.
local function retention_now()
  if LIFE == '' then return tonumber(ARGV[4]) end
  return tonumber(call('HGET', RECORD, 'retention') or '') or tonumber(ARGV[5])
end

local EXPIRE_MAX = 1000 -- messages whose ends are forgotten in one run: Redis does nothing else meanwhile

-- expire drops what is over its age. Returns how many messages, and whether there are more.
local function expire(q, at, retention)
  if retention <= 0 or q.messages == 0 or q.first + retention >= at then return 0, false end
  retention = retention_now()
  if retention <= 0 then return 0, false end
  local stays, more = string.format('%.0f-0', at - retention), false
  local last = string.format('%.0f-18446744073709551615', at - retention - 1)
  if q.ends > 0 then
    local ids = {}
    for i, entry in ipairs(call('XRANGE', STREAM, '-', last, 'COUNT', EXPIRE_MAX)) do ids[i] = entry[1] end
    forget_ends(q, ids)
    if #ids == EXPIRE_MAX then last, stays, more = ids[EXPIRE_MAX], after(ids[EXPIRE_MAX]), true end
  end
  local dropped = call('XTRIM', STREAM, 'MINID', '=', stays)
  if dropped > 0 then
    acknowledge(q, last)
    set(q, 'messages', q.messages - dropped)
  end
  begin_at(q)
  return dropped, more
end
