-- What the client says it has processed: an ETag.
--
-- ARGV[14] -> epoch of the ETag; '': none was given
-- ARGV[15], ARGV[16] -> the two numbers of its stream id
--
-- Returns the epoch, the two numbers, and whether that message was tried alone, so that it confirms no other.
local function processed(q)
  local epoch, alone = ARGV[14], nil
  local other = epoch ~= '' and marked(epoch)
  if other and string.sub(other, 1, 6) == string.sub(q.epoch, 1, 6) then epoch, alone = other, true end
  return epoch, tonumber(ARGV[15]), tonumber(ARGV[16]), alone
end
