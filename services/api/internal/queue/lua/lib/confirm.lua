-- Confirming by an ETag.

-- up_to tells whether the id <id_ms>-<id_seq> comes at or before another id.
local function up_to(id_ms, id_seq, other)
  local at = string.find(other, '-', 1, true)
  local other_ms = tonumber(string.sub(other, 1, at - 1))
  return id_ms < other_ms or id_ms == other_ms and id_seq <= tonumber(string.sub(other, at + 1))
end

-- traces_of returns the trace contexts of entries, each once.
local function traces_of(q, ids)
  local traces, seen = {}, {}
  if #ids == 0 or q.traced < ms(ids[1]) then return traces end
  for _, entry in ipairs(call('XRANGE', STREAM, ids[1], ids[#ids])) do
    local trace = entry[2][4]
    if trace and not seen[trace] then
      seen[trace] = true
      traces[#traces + 1] = trace
    end
  end
  return traces
end

-- confirm takes everything delivered up to the ETag out of the queue; or that message alone, if it
-- was tried alone (see suspect.lua). Returns whether the queue has issued that ETag, 1 or 0; when
-- what is confirmed was pushed, ms; its traces; and how many dead letters that made.
local function confirm(q, epoch, id_ms, id_seq, alone)
  if epoch ~= q.epoch or q.delivered == '' or not up_to(id_ms, id_seq, q.delivered) then return 0, {}, {}, 0 end
  local id = string.format('%.0f-%.0f', id_ms, id_seq)
  if alone then return confirm_alone(q, id) end
  local ids = acknowledge(q, id)
  if #ids == 0 then return 1, {}, {}, 0 end
  if q.epochs ~= '' then set(q, 'epochs', '') end
  local traces = traces_of(q, ids)
  set(q, 'messages', q.messages - call('XTRIM', STREAM, 'MINID', '=', after(ids[#ids])))
  forget_ends(q, ids)
  for i, id in ipairs(ids) do ids[i] = ms(id) end
  return 1, ids, traces, 0
end
