-- Confirms, reads, and leaves a waiter if there is nothing to read.
--
-- ARGV[4] -> '1' if the channel must have a record
-- ARGV[5] -> address of the client
-- ARGV[6] -> its user agent
-- ARGV[7] -> epoch of the client's ETag; '': it has none
-- ARGV[8] -> stream id of the client's ETag
-- ARGV[9] -> most messages to read; 0: none, the pull only confirms
-- ARGV[10] -> most bytes to read; one message is read whatever its size
-- ARGV[11] -> deliveries before a message is set aside; 0: never
-- ARGV[12] -> "<replica>/<poll>" that will wait if there is nothing; '': none will
-- ARGV[13] -> how long it will wait, ms
-- ARGV[14] -> since when it waits ('since' of its first run); '': this is its first run
-- ARGV[15] -> instead of an ETag: how the canonical JSON of the last message that was
--             processed begins, up to the end of its id; '': it has none (version 1)
-- ARGV[16] -> that id, as the client has it
-- ARGV[17] -> '1' if what is read ends before a message whose id another of it has
--
-- Returns {outcome, epoch, etag is good: 1 or 0, now in ms, since, expired, set aside, redelivered,
--          {id, canonical JSON, trace context or '', id, …}: what is read,
--          {ms, …}: when what is confirmed was pushed,
--          {trace context, …}: of what is confirmed}
-- outcome: 'read', 'empty', 'waiting', 'superseded' (a later poll waits here, nothing was done),
-- or 'unknown': no such channel
local retention = tonumber(ARGV[3])

-- The id of a message in canonical JSON, which begins with it; escaped as it is there.
local function json_id(json)
  local from = #'{"id":"' + 1
  local to = from
  while true do
    local c = string.byte(json, to)
    if c == 34 or not c then return string.sub(json, from, to - 1) end -- "
    to = to + (c == 92 and 2 or 1) -- a backslash, and what it escapes
  end
end

local etag_epoch, etag_id = ARGV[7], ARGV[8]
local max, max_bytes, max_deliveries = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local poll, since = ARGV[12], ARGV[14]
local now = now_ms()

if ARGV[4] == '1' and redis.call('EXISTS', RECORD) == 0 then
  return {'unknown', '', 0, now, since, 0, 0, 0, {}, {}, {}}
end

-- Polls of one queue follow each other: a later one supersedes an earlier one,
-- never the other way round (an earlier one may look again when its replica
-- lost touch with Redis for a while).
if poll ~= '' then
  local other = redis.call('GET', WAITER)
  local again = since ~= ''
  if not again then
    local t = redis.call('TIME')
    since = t[1] .. string.format('%06d', t[2])
  end
  if other then
    local other_since, other_poll = string.match(other, '^(%d+)/(.+)$')
    if other_poll ~= poll then
      if again and tonumber(other_since) > tonumber(since) then
        return {'superseded', '', 0, now, since, 0, 0, 0, {}, {}, {}}
      end
      tell(other, 'superseded')
    end
    redis.call('DEL', WAITER)
  end
end

local epoch, good, expired, set_aside, redelivered = '', 0, 0, 0, 0
local read, confirmed, confirmed_traces = {}, {}, {}
if redis.call('EXISTS', STREAM) == 1 then
  local messages_before, bytes_before = measure()
  local state = redis.call('HMGET', META, 'epoch', 'delivered', 'largest', 'traced')
  epoch = state[1]
  local moved = false

  -- One that names nothing begins anew: what it names next it was given since.
  if ARGV[17] == '1' and ARGV[15] == '' then redis.call('HDEL', META, 'named') end
  -- A client that names the same again has not gone on, whatever id a later message
  -- has: none is given to it as the one it names.
  if ARGV[15] ~= '' and redis.call('HGET', META, 'named') ~= ARGV[16] then
    redis.pcall('HSET', META, 'named', ARGV[16])
    local pending = redis.call('XPENDING', STREAM, GROUP, '-', '+', '1000')
    if #pending > 0 then
      local size = #ARGV[15]
      for _, e in ipairs(redis.call('XRANGE', STREAM, pending[1][1], pending[#pending][1])) do
        if string.sub(e[2][2], 1, size) == ARGV[15] then
          -- The first of that id: an answer to such a client never has two.
          etag_epoch, etag_id = epoch, e[1]
          break
        end
      end
    end
  end
  if etag_epoch == epoch then
    local ms, seq = id_parts(etag_id)
    local delivered_ms, delivered_seq = id_parts(state[2])
    if ms < delivered_ms or (ms == delivered_ms and seq <= delivered_seq) then
      good = 1
      local ids = ack_up_to(etag_id)
      if #ids > 0 then
        for i, id in ipairs(ids) do confirmed[i] = id_parts(id) end
        if state[4] and confirmed[1] <= id_parts(state[4]) then
          local known = {}
          for _, e in ipairs(redis.call('XRANGE', STREAM, ids[1], ids[#ids])) do
            local trace = e[2][4]
            if trace and not known[trace] then
              known[trace] = true
              confirmed_traces[#confirmed_traces + 1] = trace
            end
          end
        end
        redis.call('XTRIM', STREAM, 'MINID', '=', after(ids[#ids]))
        moved = true
      end
    end
  end

  expired = expire(now, retention)
  moved = moved or expired > 0

  -- What was delivered before goes first; what was too often is set aside.
  local again = {}
  for _, p in ipairs(redis.call('XPENDING', STREAM, GROUP, '-', '+', max)) do
    if max_deliveries > 0 and p[4] >= max_deliveries then
      local entry = redis.call('XRANGE', STREAM, p[1], p[1])[1]
      redis.call('XADD', DEAD, '*', 'id', p[1], 'deliveries', p[4], 'message', entry[2][2])
      redis.call('XACK', STREAM, GROUP, p[1])
      redis.call('XDEL', STREAM, p[1])
      set_aside = set_aside + 1
    else
      again[#again + 1] = p[1]
    end
  end
  moved = moved or set_aside > 0

  local bytes, first_offset = 0, nil
  -- Adds entries to what is read. Returns how many.
  local function take(entries)
    for _, e in ipairs(entries) do
      local json = e[2][2]
      first_offset = first_offset or e[2][1]
      read[#read + 1] = e[1]
      read[#read + 1] = json
      read[#read + 1] = e[2][4] or ''
      bytes = bytes + #json + 1 -- and a comma
    end
    return #entries
  end

  if #again > 0 then redelivered = take(redis.call('XCLAIM', STREAM, GROUP, CONSUMER, 0, unpack(again))) end
  -- Reading marks as delivered, so no more may be read than will fit: as many at
  -- a time as fit even if each is the largest that this queue may hold. Where not
  -- one of that size fits, each is looked at first, until the answer is half full.
  local largest = tonumber(state[3]) + 1
  local n = redelivered
  while n < max do
    local fit = math.floor((max_bytes - bytes) / largest)
    if fit < 1 then
      if n > 0 then
        if bytes * 2 > max_bytes then break end
        local last = n > redelivered and read[#read - 2] or state[2]
        local following = redis.call('XRANGE', STREAM, '(' .. last, '+', 'COUNT', 1)[1]
        if not following or bytes + #following[2][2] + 1 > max_bytes then break end
      end
      fit = 1
    end
    if fit > max - n then fit = max - n end
    local new = redis.call('XREADGROUP', 'GROUP', GROUP, CONSUMER, 'COUNT', fit, 'STREAMS', STREAM, '>')
    local got = new and take(new[1][2]) or 0
    n = n + got
    if got < fit then break end
  end
  if n > redelivered then redis.call('HSET', META, 'delivered', read[#read - 2]) end
  if ARGV[17] == '1' then
    local seen = {}
    for i = 1, #read, 3 do
      local id = json_id(read[i + 1])
      if seen[id] then
        -- Delivered, for Redis; but not counted as such, for it will not be given.
        local claim = {STREAM, GROUP, CONSUMER, 0}
        for j = i, #read, 3 do claim[#claim + 1] = read[j] end
        for _, option in ipairs({'RETRYCOUNT', 0, 'JUSTID'}) do claim[#claim + 1] = option end
        redis.call('XCLAIM', unpack(claim))
        for j = #read, i, -1 do read[j] = nil end
        break
      end
      seen[id] = true
    end
    if redelivered > #read / 3 then redelivered = #read / 3 end
  end
  if moved then
    if read[1] then head_moved(retention, read[1], first_offset)
    else find_head(retention) end -- nothing was read, which is not to say that nothing is there
    account(messages_before, bytes_before, measure())
  end
end

-- Where anybody may name a channel, asking for one that never was leaves nothing behind.
if epoch ~= '' or ARGV[4] == '1' then
  -- Only for show, and the one write that can be refused: out of memory, messages still go out.
  redis.pcall('HSET', META, 'pulled', whole(now), 'pulled_from', ARGV[5], 'pulled_agent', ARGV[6])
  if #confirmed > 0 then redis.pcall('HSET', META, 'confirmed', whole(now)) end
end

local outcome = 'read'
if #read == 0 then
  outcome = 'empty'
  if poll ~= '' then
    outcome = 'waiting'
    redis.call('DEL', WAITER) -- there is none, but after this write Redis lets the next one pass when out of memory
    redis.call('SET', WAITER, since .. '/' .. poll, 'PX', ARGV[13])
  end
end
return {outcome, epoch, good, now, since, expired, set_aside, redelivered, read, confirmed, confirmed_traces}
