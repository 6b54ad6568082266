-- Lets only the worker go on that has the lease of the queue's webhook.
--
-- ARGV[#ARGV] -> fencing token of the lease that the worker has
if call('HGET', STREAM .. ':webhook', 'fence') ~= ARGV[#ARGV] then
  return redis.error_reply('FENCED the lease is another one')
end
