-- Reading: what is pending goes out again, first, then what is new.
--
-- What is read is a list {id, payload, trace context or '', id, …}.

local WIDTH = 3
local first_read -- the first entry read, which is the stream's first entry, too

-- take adds entries to what is read. Returns their bytes, with a comma each.
local function take(read, entries)
  local bytes = 0
  first_read = first_read or entries[1]
  for _, entry in ipairs(entries) do
    local fields, n = entry[2], #read
    read[n + 1], read[n + 2], read[n + 3] = entry[1], fields[2], fields[4] or ''
    bytes = bytes + #fields[2] + 1
  end
  return bytes
end

-- bury moves an entry to the dead letters, with fields and their values that say more of it.
local function bury(q, id, deliveries, ...)
  local entry = call('XRANGE', STREAM, id, id)[1]
  set(q, 'pending', q.pending - call('XACK', STREAM, GROUP, id))
  if not entry then return end -- somebody took it out by hand
  local ends = q.ends > 0 and call('ZSCORE', ENDS, id)
  add_dead(id, deliveries, entry[2][2], 'until', ends or '', ...)
  forget_ends(q, {id})
  set(q, 'messages', q.messages - call('XDEL', STREAM, id))
end

-- redeliver reads what is pending again, at most max entries. Returns how many of them had
-- gone out before, and whether nothing pending is left unread.
local function redeliver(q, read, max)
  local ids, again, from, whole = {}, 0, '-', false
  -- Whether a handed-over batch reached its client is not known yet: it does not count.
  local doubt = q.handed ~= '' and 1 or 0
  repeat
    local asked = math.min(max - #ids, 1000)
    local page = call('XPENDING', STREAM, GROUP, from, '+', asked)
    for _, p in ipairs(page) do
      ids[#ids + 1] = p[1]
      if p[4] > doubt then again = again + 1 end
      from = '(' .. p[1]
    end
    whole = #page < asked
  until whole or #ids == max
  if #ids > 0 then
    local entries = call('XCLAIM', STREAM, GROUP, CONSUMER, 0, unpack(ids))
    take(read, entries)
    if #entries < #ids then -- somebody took entries out by hand
      local pending = q.pending
      measure(q)
      if #entries == 0 and q.pending < pending then return redeliver(q, read, max) end
    end
  end
  return again, whole
end

-- read_new reads what was never delivered, so that there are at most max entries and, but for
-- one, max_bytes. Reading marks as delivered, so no more may be read than will fit: as many
-- at a time as fit even if each is the queue's largest. Where not one of that size fits, each
-- is looked at first, until the answer is half full.
local function read_new(q, read, max, max_bytes)
  local n, bytes = #read / WIDTH, 0
  for i = 2, #read, WIDTH do bytes = bytes + #read[i] + 1 end
  while n < max and q.pending < q.messages do
    local fit = math.floor((max_bytes - bytes) / (q.largest + 1))
    if fit < 1 then
      if n > 0 then
        if bytes * 2 > max_bytes then break end
        local from = q.delivered ~= '' and '(' .. q.delivered or '-'
        local following = call('XRANGE', STREAM, from, '+', 'COUNT', 1)[1]
        if not following or bytes + #following[2][2] + 1 > max_bytes then break end
      end
      fit = 1
    end
    fit = math.min(fit, max - n)
    local new = call('XREADGROUP', 'GROUP', GROUP, CONSUMER, 'COUNT', fit, 'STREAMS', STREAM, '>')
    if not new then break end
    local entries = new[1][2]
    bytes = bytes + take(read, entries)
    n = n + #entries
    set(q, 'pending', q.pending + #entries)
    set(q, 'delivered', entries[#entries][1])
    if #entries < fit then break end
  end
end
