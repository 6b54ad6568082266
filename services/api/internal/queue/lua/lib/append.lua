-- Putting messages into a queue.

-- create makes a queue that was never pushed into, or has lost its state.
local function create(q)
  local _, us = now()
  set(q, 'server', SERVER)
  local digits = redis.sha1hex(STREAM .. us .. REPLICA)
  set(q, 'epoch', string.sub(digits, 1, 6) .. '0000' .. string.sub(digits, 7, 12)) -- see history.lua
  measure(q)
  call('PERSIST', META) -- a waiter may have been there before the queue
  call('ZADD', PARTITION .. 'channels', 0, string.sub(NAME, 1, string.find(NAME, ':', 1, true) - 1))
end

-- append adds payloads at the queue's end. Returns their ids.
local function append(q, payloads, trace)
  local ids, tail = {}, q.tail
  for i, payload in ipairs(payloads) do
    if trace == '' then
      ids[i] = call('XADD', STREAM, '*', tail, payload)
    else
      ids[i] = call('XADD', STREAM, '*', tail, payload, 'trace', trace)
    end
    tail = tail + #payload
    if #payload > q.largest then set(q, 'largest', #payload) end
  end
  if q.messages == 0 then set(q, 'first', ms(ids[1])) end
  if trace ~= '' then set(q, 'traced', ms(ids[#ids])) end
  set(q, 'tail', tail)
  set(q, 'messages', q.messages + #ids)
  return ids
end
