-- What a version 1 client says it has processed: the id of a message. This is the whole
-- difference between pulls of the two versions.
--
-- ARGV[14] -> how the payload of that message begins, up to the end of its id; '': the client names none
-- ARGV[15] -> the id as the client has it
--
-- A client that names the same as before has not gone on, whatever id a later message has.
-- One that names nothing begins anew: what it names next it was given since. An answer to
-- such a client never has two messages of one id, so the first that fits is the one meant.
local function processed(q)
  local start, id = ARGV[14], ARGV[15]
  if start == '' then
    call('HDEL', META, 'named')
    return '', 0, 0
  end
  if q.pending == 0 or call('HGET', META, 'named') == id then return '', 0, 0 end
  call('HSET', META, 'named', id)
  local pending = call('XPENDING', STREAM, GROUP, '-', '+', 1000)
  for _, entry in ipairs(call('XRANGE', STREAM, pending[1][1], pending[#pending][1])) do
    if string.sub(entry[2][2], 1, #start) == start then
      local at = string.find(entry[1], '-', 1, true)
      return q.epoch, ms(entry[1]), tonumber(string.sub(entry[1], at + 1))
    end
  end
  return '', 0, 0
end
