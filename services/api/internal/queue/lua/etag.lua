-- What the client says it has processed: an ETag.
--
-- ARGV[14] -> epoch of the ETag; '': none was given
-- ARGV[15], ARGV[16] -> the two numbers of its stream id
local function processed() return ARGV[14], tonumber(ARGV[15]), tonumber(ARGV[16]) end
