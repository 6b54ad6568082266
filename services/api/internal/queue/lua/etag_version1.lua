-- What a version 1 client says it has processed: the id of a message. This is the whole
-- difference between pulls of the two versions.
--
-- ARGV[14] -> how the payload of that message begins, up to the end of its id; '': the client names none
-- ARGV[15] -> the id as the client has it
--
-- A client that names the same as before has not gone on, whatever id a later message has.
-- One that names nothing begins anew: what it names next it was given since. An answer to
-- such a client never has two messages of one id, so the first that fits is the one meant.
-- Where history may have been lost, that may be a message whose delivery Redis does not remember.
local function processed(q)
  local start, id = ARGV[14], ARGV[15]
  if start == '' then
    call('HDEL', META, 'named')
    return '', 0, 0
  end
  if call('HGET', META, 'named') == id then return '', 0, 0 end
  call('HSET', META, 'named', id) -- also where nothing is pending: a later message of that id is another one
  if q.pending == 0 and q.epochs == '' then return '', 0, 0 end
  local function find(first, last, epoch)
    for _, entry in ipairs(call('XRANGE', STREAM, first, last, 'COUNT', 1000)) do
      if string.sub(entry[2][2], 1, #start) == start then
        local at = string.find(entry[1], '-', 1, true)
        local alone = only(q, entry[1])
        if alone == false then return '', 0, 0 end
        return epoch, ms(entry[1]), tonumber(string.sub(entry[1], at + 1)), alone
      end
    end
  end
  if q.pending > 0 then
    local pending = call('XPENDING', STREAM, GROUP, '-', '+', 1000)
    local epoch, id_ms, id_seq, alone = find(pending[1][1], pending[#pending][1], q.epoch)
    if epoch then return epoch, id_ms, id_seq, alone end
  end
  local epoch, last = string.match(q.epochs, '^(%S+):(%S+)')
  if not epoch then return '', 0, 0 end
  local found, id_ms, id_seq, alone = find('-', last, epoch)
  return found or '', id_ms or 0, id_seq or 0, alone
end
