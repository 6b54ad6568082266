-- Drops the waiter of a poll that waits no more, if it is still that poll's.
--
-- ARGV[4] -> "<since>/<replica>/<poll>"
--
-- Returns {}
if redis.call('GET', WAITER) == ARGV[4] then redis.call('DEL', WAITER) end
return {}
