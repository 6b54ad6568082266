-- Giving a client that is stuck less at a time; see suspect.lua.

local PROBES = 8 -- messages after the suspect that are tried in turn
local TRAIL = 400 -- bytes of the trail, the latest answers
local TRIED = 400 -- bytes of what was tried, the latest ids

-- passed forgets a suspect that the client has passed, and what was tried if nothing before it is left.
local function passed(q, t)
  t.upto, t.suspect, t.proofs, t.trail = '-', '-', 0, ''
  local left = 0
  for id in string.gmatch(t.tried, '%d+%-%d+') do left = left + #pending('-', id, 1) end
  if left == 0 then set(q, 'stuck', '') else set_stuck(q, t) end
end

-- narrow returns how many messages a client may have again, and whether one after the suspect is to
-- be tried instead.
local function narrow(q, max, max_deliveries, confirmed, at)
  local t, failed = stuck_of(q), confirmed == 0 and q.handed == '' and q.answer ~= ''
  if failed then
    t.upto = q.answer
    t.trail = string.sub(t.trail .. (t.trail == '' and '' or ',') .. string.format('%.0f:%s', at, q.given), -TRAIL)
    set_stuck(q, t)
  end
  if q.stuck == '' then return max, false end
  local page = pending('-', t.upto, 1000)
  if #page == 0 then
    passed(q, t)
    return max, false
  end
  if #page == 1 and failed and q.alone == page[1][1] and page[1][4] >= max_deliveries then
    if t.suspect ~= page[1][1] then t.suspect, t.proofs, t.probes = page[1][1], 0, 0 end
    set_stuck(q, t)
    return 1, true
  end
  return math.min(max, math.ceil(#page / 2)), false
end

-- try reads one entry after the suspect, in turn one of the next few. Returns how many were read, and
-- how many of them had gone out before.
local function try(q, read, max_bytes)
  local t = stuck_of(q)
  local turn = t.probes % PROBES
  local page, again = pending(t.suspect, '+', turn + 2), 0 -- the suspect is the first of them
  if #page <= turn + 1 then read_new(q, read, 1, max_bytes) end
  if #read == 0 and #page > 1 then
    again = 1
    take(read, call('XCLAIM', STREAM, GROUP, CONSUMER, 0, page[#page][1]))
  end
  first_read = nil
  if #read > 0 then
    -- The cut may leave the end of an id in front, which is none: it goes, too.
    t.probes, t.tried = t.probes + 1, (string.gsub(string.sub(t.tried .. ',' .. read[1], -TRIED), '^[^,]+', ''))
    set_stuck(q, t)
  end
  return #read / WIDTH, again
end

-- note_answer keeps what the next pull has to know of an answer. waited: the poll that it is handed
-- to, if that one was held, as such deliveries may be given back (see give_back.lua); else ''.
local function note_answer(q, read, max_deliveries, trying, waited)
  if #read == 0 then waited = '' end
  if waited ~= q.handed then set(q, 'handed', waited) end
  if #read == 0 then return end
  set(q, 'alone', #read == WIDTH and read[1] or '')
  if max_deliveries == 0 then return end
  set(q, 'answer', trying and '' or read[#read - WIDTH + 1])
  set(q, 'given', #read / WIDTH)
end
