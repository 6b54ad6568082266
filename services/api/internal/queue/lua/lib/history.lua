-- A queue that may have lost history.
--
-- The queue remembers the Redis process that it was changed by last. Where another process runs
-- the script, Redis may have come back from a backup or from a crash, or have failed over to a
-- replica that lacked something. Then messages that clients have confirmed may be here again, and
-- ids that were given out before may be given out again. So the queue gets a new epoch, and
-- remembers where the epoch before ended: at the stream's last entry at that moment.
--
-- An ETag of an epoch before says what its client had processed by the history that was lost, if it
-- was: it confirms all up to its id, whether Redis remembers the delivery or not, and nothing
-- behind the end of its epoch, which no such client can have seen.
--
-- An epoch is 6 digits that stay as long as the queue does, 4 of the epoch before, and 6 that are new in
-- each epoch. An epoch of this queue that is not remembered began in a history that was lost. It knows
-- what is here up to the end of the epoch before it, if that one is remembered. If not, it knows no
-- more than the first epoch that is.
--
-- meta.epochs is "<epoch>:<ms>-<seq> …": the epochs before and their ends. It is emptied when
-- the client has confirmed by the present epoch: it has heard of that one.

local EPOCHS_KEPT = 8

-- begin_epoch begins a new epoch if another Redis process than this one changed the queue last.
-- What it notes is written at once: before anything is pushed.
local function begin_epoch(q)
  if q.server == SERVER then return end
  set(q, 'server', SERVER)
  if q.epoch == '' then return end
  local _, us = now()
  local last = call('XREVRANGE', STREAM, '+', '-', 'COUNT', 1)[1]
  local epochs = {}
  for epoch in string.gmatch(q.epochs, '%S+') do epochs[#epochs + 1] = epoch end
  -- Of too many, the first one stays: its end is the one that confirms the least.
  if #epochs == EPOCHS_KEPT then table.remove(epochs, 2) end
  epochs[#epochs + 1] = q.epoch .. ':' .. (last and last[1] or '0-0')
  local fresh = string.sub(redis.sha1hex(STREAM .. us .. REPLICA .. SERVER), 1, 6)
  set(q, 'epochs', table.concat(epochs, ' '))
  set(q, 'epoch', string.sub(q.epoch, 1, 6) .. string.sub(q.epoch, 11, 14) .. fresh)
  call('HSET', META, 'server', SERVER, 'epochs', q.epochs, 'epoch', q.epoch)
end
