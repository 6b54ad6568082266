-- Puts a batch into a queue: every message of the batch, or none.
--
-- ARGV[8] -> deduplication window, ms; 0: none
-- ARGV[9] -> digests that are kept at the most
-- ARGV[10] -> messages that the queue may hold
-- ARGV[11] -> bytes that the queue may hold
-- ARGV[12] -> W3C trace context of this push; '': it is not traced
-- ARGV[13] -> id of the batch's last message; '': no client pushed this batch
-- ARGV[14] -> when messages stop being valid (see lib/validity.lua); '': they don't
-- ARGV[15], ARGV[16], … -> per message: digest ('': its sender gave no id), payload
--
-- Returns {outcome, accepted, duplicates, forgotten, epoch, poll, {n, id, n, id, …}}
-- outcome: 'stored', 'full', 'full_old' (messages over their age or past their ends may be in the way) or 'unknown' (no such channel)
-- forgotten: digests that went before the window was over, as there were too many
-- poll: the poll of this replica that gets the first messages stored; '': none
-- then: which messages of the batch that poll gets, counted from 0, and their ids
local retention, window, max_digests = tonumber(ARGV[4]), tonumber(ARGV[8]), tonumber(ARGV[9])
local max_messages, max_bytes = tonumber(ARGV[10]), tonumber(ARGV[11])
local trace, last, FIRST = ARGV[12], ARGV[13], 15

local q = load()
if not known(q) then return {'unknown', 0, 0, 0, '', '', {}} end
begin_epoch(q)
if q.epoch == '' then create(q) end

local new, size = {}, 0 -- places in ARGV of what is new, and its bytes
local digests, at = {}, nil
local taken = window > 0 and seen_before(FIRST) or {}
for i = FIRST, #ARGV, 2 do
  local digest = ARGV[i]
  local before = taken[digest]
  if before then at = at or now() end -- nothing was seen before, usually: then the time is not asked for
  if not before or before <= at - window then
    new[#new + 1] = i
    size = size + #ARGV[i + 1]
    if digest ~= '' and window > 0 then
      digests[#digests + 1] = digest
      taken[digest] = math.huge -- a second time in the same batch
    end
  end
end
if last ~= '' then set(q, 'last', last) end

local messages, bytes = q.messages, q.tail - q.head
if #new > 0 and (messages + #new > max_messages or bytes + size > max_bytes) then
  local at = now()
  local old = messages > 0 and (retention > 0 and q.first + retention < at or q.ends > 0 and q.ends <= at)
  return {old and 'full_old' or 'full', 0, 0, 0, q.epoch, '', {}}
end

local forgotten, poll, handed = 0, '', {}
if #new > 0 then
  local payloads = {}
  for i, place in ipairs(new) do payloads[i] = ARGV[place + 1] end
  local ends, how = {}, ''
  if ARGV[14] ~= '' then ends, how = read_ends(ARGV[14], new, FIRST, payloads) end
  local ids = append(q, payloads, trace)
  if ARGV[14] ~= '' then keep_ends(q, ids, ends) end
  at = ms(ids[#ids])
  if #digests > 0 then forgotten = remember(q, digests, at, window, max_digests) end
  if q.waiter ~= '' then
    local n
    poll, n = hand_off(q, ids, payloads, trace, at, how)
    for i = 1, n do
      handed[2 * i - 1], handed[2 * i] = (new[i] - FIRST) / 2, ids[i]
    end
  end
  account(q, messages, bytes)
  expect_expiry(q, retention)
end
save(q)
return {'stored', #new, (#ARGV - FIRST + 1) / 2 - #new, forgotten, q.epoch, poll, handed}
