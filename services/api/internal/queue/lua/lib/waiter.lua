-- The poll that waits for a queue.
--
-- meta.waiter is "<since> <replica> <poll> <until> <max> <bytes>": since when it waits, µs;
-- where; until when, ms; and how many messages and bytes it may have.
--
-- A waiter means that its queue is empty. So the push that finds one knows what that poll
-- would read: it hands that over, and nobody reads.

-- large is how many bytes a wake entry may carry. A larger batch is read by the poll itself.
local LARGE = 65536

-- notify tells the replica that holds a poll what became of it: 'wake' (look again) or
-- 'superseded'. Returns nothing if that replica is gone.
local function notify(replica, poll, what)
  return call('XADD', WAKES .. replica, 'NOMKSTREAM', '*', 'poll', poll, 'what', what)
end

-- release forgets the waiter, and tells it why.
local function release(q, what)
  if q.waiter == '' then return end
  local replica, poll = string.match(q.waiter, '^%d+ (%S+) (%S+)')
  set(q, 'waiter', '')
  notify(replica, poll, what)
end

-- supersede has a poll take the place of the one that waits: polls of one queue follow each other.
-- A later one supersedes an earlier one, never the other way round (an earlier one looks again when
-- its replica may have missed a wake). since: when the poll began to wait, as its first run said, ''
-- in its first run, which is at us. Returns since when it waits, and true if a
-- later one waits.
local function supersede(q, poll, since, us)
  local first_run = since == ''
  if first_run then since = us end
  if q.waiter == '' then return since, false end
  local waits_since, waiter = string.match(q.waiter, '^(%d+) (%S+ %S+)')
  if waiter == REPLICA .. ' ' .. poll then
    set(q, 'waiter', '')
  elseif not first_run and tonumber(waits_since) > tonumber(since) then
    return since, true
  else
    release(q, 'superseded')
  end
  return since, false
end

-- wait_for makes a poll its queue's waiter until a time, ms.
local function wait_for(q, poll, since, ends, max, max_bytes)
  set(q, 'waiter', table.concat({since, REPLICA, poll, string.format('%.0f', ends), max, max_bytes}, ' '))
end

-- hand_off delivers what was just pushed, as far as the waiting poll may have it. ids and
-- payloads are all that the queue holds. Returns the poll and how many messages it got if the
-- poll is the calling replica's own, which then hands them over in memory; else '' and 0.
-- how: 'stamped', the payloads are not those that the replica has, so they don't go in memory;
-- 'wake', some are not valid any more, so the poll reads by itself; else ''.
local function hand_off(q, ids, payloads, trace, at, how)
  local replica, poll, ends, max, max_bytes = string.match(q.waiter, '^%d+ (%S+) (%S+) (%d+) (%d+) (%d+)$')
  set(q, 'waiter', '')
  if tonumber(ends) < at then return '', 0 end
  local n, bytes = 0, 0
  max, max_bytes = tonumber(max), tonumber(max_bytes)
  while n < #ids and n < max and (n == 0 or bytes + #payloads[n + 1] + 1 <= max_bytes) do
    n = n + 1
    bytes = bytes + #payloads[n] + 1
  end
  if replica ~= REPLICA or how ~= '' then
    if bytes > LARGE or how == 'wake' then
      notify(replica, poll, 'wake')
      return '', 0
    end
    local entry = {'XADD', WAKES .. replica, 'NOMKSTREAM', '*', 'poll', poll, 'what', 'handoff',
      'queue', NAME, 'epoch', q.epoch, 'trace', trace}
    for i = 1, n do
      entry[#entry + 1] = ids[i]
      entry[#entry + 1] = payloads[i]
    end
    if not call(unpack(entry)) then return '', 0 end
  end
  call('XREADGROUP', 'GROUP', GROUP, CONSUMER, 'COUNT', n, 'STREAMS', STREAM, '>')
  set(q, 'pending', n)
  set(q, 'delivered', ids[n])
  set(q, 'alone', n == 1 and ids[1] or '')
  set(q, 'answer', ids[n])
  set(q, 'given', n)
  set(q, 'handed', replica .. ' ' .. poll)
  if replica == REPLICA and how == '' then return poll, n end
  return '', 0
end
