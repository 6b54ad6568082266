-- Confirms, reads, and leaves a waiter if there is nothing to read.
--
-- KEYS[1] -> the queue's stream
-- KEYS[2] -> its meta
-- KEYS[3] -> its waiter
-- KEYS[4] -> its dead messages
-- KEYS[5] -> the channel's record
-- KEYS[6] -> the partition's queues by oldest message
-- KEYS[7] -> the partition's queues by when that is over its age
-- ARGV[1] -> epoch of the client's ETag; '': it has none
-- ARGV[2] -> stream id of the client's ETag
-- ARGV[3] -> most messages to read
-- ARGV[4] -> most bytes to read; one message is read whatever its size
-- ARGV[5] -> retention, ms; 0: for ever
-- ARGV[6] -> deliveries before a message is set aside; 0: never
-- ARGV[7] -> the queue's name among the partition's queues
-- ARGV[8] -> prefix of the partition's wake streams
-- ARGV[9] -> "<replica>/<poll>" that will wait if there is nothing; '': none will
-- ARGV[10] -> how long it will wait, ms
-- ARGV[11] -> since when it waits ('since' of its first run); '': this is its first run
-- ARGV[12] -> '1' if the channel must have a record
-- ARGV[13] -> address of the client
-- ARGV[14] -> its user agent
--
-- Returns {outcome, epoch, etag is good: 1 or 0, confirmed, expired, set aside, redelivered, since,
--          {id, canonical JSON, id, canonical JSON, …}}
-- outcome: 'read', 'empty', 'waiting', 'superseded' (a later poll waits here, nothing was done),
-- or 'unknown': no such channel
local stream, meta, waiter, dead, record = unpack(KEYS)
local k = {stream = stream, meta = meta, oldest = KEYS[6], due = KEYS[7]}
local etag_epoch, etag_id = ARGV[1], ARGV[2]
local max, max_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local retention, max_deliveries = tonumber(ARGV[5]), tonumber(ARGV[6])
local member, wakes, poll, since = ARGV[7], ARGV[8], ARGV[9], ARGV[11]
local now = now_ms()

if ARGV[12] == '1' and redis.call('EXISTS', record) == 0 then
  return {'unknown', '', 0, 0, 0, 0, 0, since, {}}
end

-- Polls of one queue follow each other: a later one supersedes an earlier one,
-- never the other way round (an earlier one may look again when its replica
-- lost touch with Redis for a while).
if poll ~= '' then
  local other = redis.call('GET', waiter)
  local mine = since ~= ''
  if since == '' then since = redis.call('TIME'); since = since[1] .. string.format('%06d', since[2]) end
  if other then
    local other_since, other_poll = string.match(other, '^(%d+)/(.+)$')
    if other_poll ~= poll then
      if mine and tonumber(other_since) > tonumber(since) then
        return {'superseded', '', 0, 0, 0, 0, 0, since, {}}
      end
      tell(wakes, other, 'superseded')
    end
    redis.call('DEL', waiter)
  end
end

local epoch, good, confirmed, expired, set_aside, redelivered = '', 0, 0, 0, 0, 0
local read = {}
if redis.call('EXISTS', stream) == 1 then
  local state = redis.call('HMGET', meta, 'epoch', 'delivered', 'largest')
  epoch = state[1]
  local moved = false

  if etag_epoch == epoch then
    local ms, seq = id_parts(etag_id)
    local delivered_ms, delivered_seq = id_parts(state[2])
    if ms < delivered_ms or (ms == delivered_ms and seq <= delivered_seq) then
      good = 1
      local last
      confirmed, last = ack_up_to(stream, etag_id)
      if last then
        redis.call('XTRIM', stream, 'MINID', '=', after(last))
        moved = true
      end
    end
  end

  expired = expire(stream, now, retention)
  moved = moved or expired > 0

  if max_deliveries > 0 then
    for _, p in ipairs(redis.call('XPENDING', stream, GROUP, '-', '+', max)) do
      if p[4] >= max_deliveries then
        local entry = redis.call('XRANGE', stream, p[1], p[1])[1]
        redis.call('XADD', dead, '*', 'id', p[1], 'deliveries', p[4], 'message', entry[2][2])
        redis.call('XACK', stream, GROUP, p[1])
        redis.call('XDEL', stream, p[1])
        set_aside = set_aside + 1
      end
    end
    moved = moved or set_aside > 0
  end

  local bytes, first_offset = 0, nil
  -- Adds what XREADGROUP gave to what is read. Returns how many that were.
  local function take(reply)
    if not reply then return 0 end
    local entries = reply[1][2]
    for _, e in ipairs(entries) do
      local json = e[2][2]
      first_offset = first_offset or e[2][1]
      read[#read + 1] = e[1]
      read[#read + 1] = json
      bytes = bytes + #json + 1 -- and a comma
    end
    return #entries
  end

  redelivered = take(redis.call('XREADGROUP', 'GROUP', GROUP, CONSUMER, 'COUNT', max, 'STREAMS', stream, '0'))
  -- Reading marks as delivered, so no more may be read than will fit: as many at
  -- a time as fit even if each is the largest that this queue ever had.
  local largest = tonumber(state[3]) + 1
  local n = redelivered
  while n < max do
    local fit = math.floor((max_bytes - bytes) / largest)
    if fit < 1 then
      if n > 0 then break end
      fit = 1
    end
    if fit > max - n then fit = max - n end
    local got = take(redis.call('XREADGROUP', 'GROUP', GROUP, CONSUMER, 'COUNT', fit, 'STREAMS', stream, '>'))
    n = n + got
    if got < fit then break end
  end
  if n > redelivered then redis.call('HSET', meta, 'delivered', read[#read - 1]) end
  if moved then head_moved(k, member, retention, read[1], first_offset) end
end
-- Where anybody may name a channel, asking for one that never was leaves nothing behind.
if epoch ~= '' or ARGV[12] == '1' then
  -- Only for show, and the one write that can be refused: out of memory, messages still go out.
  redis.pcall('HSET', meta, 'pulled', whole(now), 'pulled_from', ARGV[13], 'pulled_agent', ARGV[14])
  if confirmed > 0 then redis.pcall('HSET', meta, 'confirmed', whole(now)) end
end

if #read > 0 then return {'read', epoch, good, confirmed, expired, set_aside, redelivered, since, read} end
if poll == '' then return {'empty', epoch, good, confirmed, expired, set_aside, 0, since, read} end
redis.call('DEL', waiter) -- there is none, but after this write Redis lets the next one pass when out of memory
redis.call('SET', waiter, since .. '/' .. poll, 'PX', ARGV[10])
return {'waiting', epoch, good, confirmed, expired, set_aside, 0, since, read}
