-- Dead letters.

-- count_dead has the partition's index and total follow the number of the queue's dead letters.
-- It counts them anew, so that neither drifts.
local function count_dead()
  local known, dead = tonumber(call('ZSCORE', PARTITION .. 'dead', NAME) or 0), call('XLEN', STREAM .. ':dead')
  if dead == known then return end
  if dead == 0 then call('ZREM', PARTITION .. 'dead', NAME) else call('ZADD', PARTITION .. 'dead', dead, NAME) end
  call('HINCRBY', PARTITION .. 'totals', 'dead', dead - known)
end
