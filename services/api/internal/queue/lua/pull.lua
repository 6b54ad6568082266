-- Confirms, reads, and leaves a waiter if there is nothing to read.
--
-- ARGV[8] -> messages to read at the most; 0: only confirm
-- ARGV[9] -> bytes to read at the most; one message is read whatever its size
-- ARGV[10] -> deliveries after which a message may become a dead letter; 0: never. Then how many dead
--            letters there may be, of how many bytes, and for how many ms (see lib/dead.lua)
-- ARGV[11] -> poll that will wait if there is nothing; '': none
-- ARGV[12] -> how long it will wait, ms; 0: it waits no more, this is its last look
-- ARGV[13] -> since when it waits, as its first run said; '': this is its first run
-- ARGV[14], … -> what the client has processed: see etag.lua, etag_version1.lua
--
-- Returns {outcome, epoch, etag is good: 1 or 0, now in ms, since, expired, dead letters, redelivered, recovered,
--          {id, payload, trace context or '', id, …}: what is read,
--          {ms, …}: when what is confirmed was pushed,
--          {trace context, …}: of what is confirmed; dead letters dropped; dropped as past their ends;
--          1 if some of those are not reported, else 0}
-- recovered: confirmed without a delivery that Redis remembers, as that was lost (see lib/history.lua)
-- outcome: 'lapsing' (some past their ends, or over their age, are left: run it again), 'read', 'empty', 'waiting', 'superseded' (a later poll waits: nothing was done) or
-- 'unknown' (no such channel)
local retention, max, max_bytes, max_deliveries = tonumber(ARGV[4]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(string.match(ARGV[10], '^%d+'))
local poll, wait, since = ARGV[11], tonumber(ARGV[12]), ARGV[13]
local at, us = now()
DEAD_BOUNDS = ARGV[10]

local function nothing(outcome) return {outcome, '', 0, at, since, 0, 0, 0, 0, {}, {}, {}, 0, 0, 0} end

local q = load()
if not known(q) then return nothing('unknown') end
if poll ~= '' then
  local later
  since, later = supersede(q, poll, since, us)
  if later then return nothing('superseded') end
end

local good, confirmed, traces, expired, dead, redelivered, recovered, read = 0, {}, {}, 0, 0, 0, 0, {}
local lapsed, lapsing, trying = 0, false, false
local function serve()
  if #confirmed + recovered == 0 then
    local epoch, id_ms, id_seq, alone = processed(q)
    local take_back = epoch == q.epoch and confirm or confirm_before
    good, confirmed, traces, dead, recovered = take_back(q, epoch, id_ms, id_seq, alone)
    recovered = recovered or 0
  end
  local n, older = expire(q, at, retention)
  expired = expired + n
  n, lapsing = lapse(q, at)
  lapsed, lapsing = lapsed + n, lapsing or older
  local whole = not lapsing
  if max > 0 and whole and q.pending > 0 then
    local most = max
    if max_deliveries > 0 then most, trying = narrow(q, max, max_deliveries, #confirmed + recovered, at) end
    if trying then n, redelivered = try(q, read, max_bytes) end
    trying = trying and n > 0
    if not trying then redelivered, whole = redeliver(q, read, most) end
    whole = whole and most == max and not trying
  end
  if max > 0 and whole then read_new(q, read, max, max_bytes) end
  if #confirmed + recovered + dead > 0 then begin_at(q, first_read) end
end

if q.epoch ~= '' then
  begin_epoch(q)
  local messages, bytes = q.messages, q.tail - q.head
  local ok, err = pcall(serve)
  if not ok and not string.find(err.err or err, 'NOGROUP', 1, true) then error(err) end
  if not ok or max > 0 and not lapsing and #read == 0 and call('XLEN', STREAM) > 0 then
    measure(q) -- the counts were wrong: see there
    serve()
  end
  account(q, messages, bytes)
  note_answer(q, read, max_deliveries, trying, poll ~= '' and since ~= us and REPLICA .. ' ' .. poll or '')
end

local outcome = #read > 0 and 'read' or lapsing and 'lapsing' or 'empty'
if outcome == 'empty' and poll ~= '' and wait > 0 then
  outcome = 'waiting'
  wait_for(q, poll, since, at + wait, ARGV[8], ARGV[9])
end
save(q)
if q.epoch == '' and outcome == 'waiting' then call('PEXPIRE', META, wait + 1000) end
return {outcome, trying and marked(q.epoch) or q.epoch, good, at, since, expired, dead, redelivered, recovered, read, confirmed, traces, dead_dropped, lapsed, q.unreported}
