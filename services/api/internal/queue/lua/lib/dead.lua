-- Dead letters: messages that were delivered too often. They are bounded, by number, bytes and
-- age: the oldest go first.
--
-- An entry has the fields id (the one it had in the queue), deliveries, message, and at: the place
-- of the message in the log of all dead letters' bytes. So the last one's end less the first one's
-- place is what they take, or somewhat more where some were taken out of the middle.
--

local DEAD = STREAM .. ':dead'
local DEAD_BOUNDS -- as dead_bounds reads them; who buries sets it
local DEAD_ROUNDS = 1000 -- dead letters dropped in one run as they are over the bytes: the next one goes on
local dead_dropped = 0 -- dead letters that were dropped in this run

-- dead_bounds reads "<messages> <bytes> <age in ms>"; 0: no bound.
local function dead_bounds(text)
  local messages, bytes, age = string.match(text, '(%d+) (%d+) (%d+)$')
  return {messages = tonumber(messages), bytes = tonumber(bytes), age = tonumber(age)}
end

-- dead_field returns a field of an entry.
local function dead_field(entry, name)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == name then return entry[2][i + 1] end
  end
end

-- count_dead has the partition's index and total follow the number of the queue's dead letters.
-- It counts them anew, so that neither drifts.
local function count_dead()
  local known, dead = tonumber(call('ZSCORE', PARTITION .. 'dead', NAME) or 0), call('XLEN', DEAD)
  if dead == 0 then
    call('UNLINK', DEAD)
    call('ZREM', PARTITION .. 'dead_oldest', NAME)
  end
  if dead == known then return end
  if dead == 0 then call('ZREM', PARTITION .. 'dead', NAME) else call('ZADD', PARTITION .. 'dead', dead, NAME) end
  call('HINCRBY', PARTITION .. 'totals', 'dead', dead - known)
end

-- trim_dead drops what is over the bounds. The last one stays, whatever its size.
local function trim_dead(bounds, at)
  local left = call('XLEN', DEAD)
  if bounds.age > 0 then call('XTRIM', DEAD, 'MINID', '=', string.format('%.0f-0', at - bounds.age)) end
  if bounds.messages > 0 then call('XTRIM', DEAD, 'MAXLEN', '=', bounds.messages) end
  local first
  for _ = 0, DEAD_ROUNDS do
    if first then call('XDEL', DEAD, first[1]) end
    first = call('XRANGE', DEAD, '-', '+', 'COUNT', 1)[1]
    local last = first and call('XREVRANGE', DEAD, '+', '-', 'COUNT', 1)[1]
    local bytes = last and (tonumber(dead_field(last, 'at')) or 0) + #dead_field(last, 'message') - (tonumber(dead_field(first, 'at')) or 0)
    if not first or bounds.bytes == 0 or bytes <= bounds.bytes or first[1] == last[1] then break end
  end
  dead_dropped = dead_dropped + left - call('XLEN', DEAD)
  if first then call('ZADD', PARTITION .. 'dead_oldest', ms(first[1]), NAME) end
  count_dead()
end

-- add_dead makes an entry of the queue a dead letter, with further fields if there are any.
local function add_dead(id, deliveries, payload, ...)
  local last = call('XREVRANGE', DEAD, '+', '-', 'COUNT', 1)[1]
  local place = last and (tonumber(dead_field(last, 'at')) or 0) + #dead_field(last, 'message') or 0
  call('XADD', DEAD, '*', 'id', id, 'deliveries', deliveries, 'message', payload, 'at', string.format('%.0f', place), ...)
  trim_dead(dead_bounds(DEAD_BOUNDS), (now()))
end
