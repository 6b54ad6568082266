-- Drops the waiter of a poll that waits no more, if it is still that poll's.
--
-- KEYS[1] -> the queue's waiter
-- ARGV[1] -> "<since>/<replica>/<poll>"
--
-- Returns {}
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return {}
