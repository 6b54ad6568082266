-- Adds a credential to a channel.
--
-- KEYS[1] -> hash: the record
-- ARGV[1] -> the credential's field in it
-- ARGV[2] -> the credential with its digest, JSON
-- ARGV[3] -> most fields that the record may have, beside those of webhooks
-- ARGV[4] -> 'new': there must be none of that id; 'put': it takes the place of one
--
-- Returns {1: added, 0: there is one, -1: no such channel, -2: there are as many as there may be}
if redis.call('EXISTS', KEYS[1]) == 0 then return {-1} end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  if ARGV[4] == 'new' then return {0} end
else
  local fields = redis.call('HLEN', KEYS[1])
  for _, kind in ipairs({'inbound', 'outbound', 'mailbox'}) do fields = fields - redis.call('HEXISTS', KEYS[1], 'webhook:' .. kind) end
  if fields >= tonumber(ARGV[3]) then return {-2} end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return {1}
