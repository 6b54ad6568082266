-- Confirming by an ETag of an epoch before (see history.lua).

-- end_of returns the id that an ETag of this epoch may confirm up to; nil: it is not of this queue.
local function end_of(q, epoch)
  if q.epochs == '' or string.sub(epoch, 1, 6) ~= string.sub(q.epoch, 1, 6) then return nil end
  local known = string.match(q.epochs, epoch .. ':(%S+)')
  if known then return known end
  for before, last in string.gmatch(q.epochs, '(%x+):(%S+)') do
    if string.sub(before, 11, 14) == string.sub(epoch, 7, 10) then return last end
  end
  return string.match(q.epochs, ':(%S+)')
end

-- confirm_before takes out of the queue what an ETag of an epoch before confirms. Returns as
-- confirm does, and how many messages more that were never delivered, by what Redis remembers.
local function confirm_before(q, epoch, id_ms, id_seq, alone)
  local last = end_of(q, epoch)
  if not last then return 0, {}, {}, 0, 0 end
  if alone then
    if not up_to(id_ms, id_seq, last) then return 1, {}, {}, 0, 0 end
    return confirm_alone(q, string.format('%.0f-%.0f', id_ms, id_seq))
  end
  if up_to(id_ms, id_seq, last) then last = string.format('%.0f-%.0f', id_ms, id_seq) end
  local ids = acknowledge(q, last)
  local traces = traces_of(q, ids)
  local gone = call('XTRIM', STREAM, 'MINID', '=', after(last))
  set(q, 'messages', q.messages - gone)
  forget_ends(q, ids)
  for i, id in ipairs(ids) do ids[i] = ms(id) end
  return 1, ids, traces, 0, math.max(0, gone - #ids)
end
