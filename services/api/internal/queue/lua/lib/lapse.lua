-- Dropping what is past its end; see validity.lua.

local LAPSE_MAX = 1000 -- messages dropped in one run: Redis does nothing else meanwhile
local UNREPORTED = 10000 -- messages that wait to be reported; of more, the oldest are not reported

-- dig notes a hole in the log. What borders on it becomes one with it, so that there are at most
-- as many holes as messages, and one more.
local function dig(place, bytes, id)
  local before = call('ZREVRANGEBYSCORE', HOLES, string.format('(%.0f', place), '-inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local size = before[1] and tonumber(string.match(before[1], '%d+$'))
  if size and tonumber(before[2]) + size == place then
    call('ZREM', HOLES, before[1])
    place, bytes, id = tonumber(before[2]), size + bytes, string.match(before[1], '^%S+')
  end
  local beyond = string.format('%.0f', place + bytes)
  for _, hole in ipairs(call('ZRANGEBYSCORE', HOLES, beyond, beyond)) do
    call('ZREM', HOLES, hole)
    bytes = bytes + tonumber(string.match(hole, '%d+$'))
  end
  call('ZADD', HOLES, string.format('%.0f', place), id .. string.format(' %.0f', bytes))
end

-- take_out takes an entry out of the middle of the queue.
local function take_out(q, entry)
  local id = entry[1]
  set(q, 'pending', q.pending - call('XACK', STREAM, GROUP, id))
  if call('XDEL', STREAM, id) == 0 then return end
  set(q, 'messages', q.messages - 1)
  dig(tonumber(entry[2][1]), #entry[2][2], id)
  set(q, 'holes', q.holes + #entry[2][2])
  set(q, 'head', q.head + #entry[2][2])
end

-- id_of returns the id of the message that a payload is.
local function id_of(payload)
  return string.match(payload, '^{"id":"([^"\\]*)"') or cjson.decode(payload).id
end

-- lapse drops what is past its end, and notes its ids for whoever reports them. Returns how many
-- messages, and whether there are more.
local function lapse(q, at)
  if q.ends == 0 or q.ends > at then return 0, false end
  local ids, dropped = call('ZRANGEBYSCORE', ENDS, '-inf', at, 'LIMIT', 0, LAPSE_MAX), 0
  for _, id in ipairs(ids) do
    local entry = call('XRANGE', STREAM, id, id)[1]
    if entry then
      take_out(q, entry)
      dropped = dropped + 1
      call('XADD', STREAM .. ':unreported', 'MAXLEN', UNREPORTED, '*', 'message', id_of(entry[2][2]), 'trace', entry[2][4] or '')
    end
  end
  if #ids > 0 then call('ZREM', ENDS, unpack(ids)) end
  local following = call('ZRANGE', ENDS, 0, 0, 'WITHSCORES')
  set(q, 'ends', tonumber(following[2] or 0))
  if q.ends > 0 then expect(q, q.ends) end
  if dropped > 0 then
    set(q, 'unreported', 1)
    expect(q, at + 60000) -- for who reports them, if that fails now
    begin_at(q)
  end
  return dropped, q.ends > 0 and q.ends <= at
end
