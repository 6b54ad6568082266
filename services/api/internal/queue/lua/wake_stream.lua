-- Makes the wake stream of a replica, if it is not there, and has it live on.
--
-- KEYS[1] -> stream: the replica's wake stream
-- ARGV[1] -> how long it lives without being read, ms
--
-- Returns {}
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], 'qst', '0', 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {}
