-- Makes the first message of the queue a dead letter: it was delivered, and its receiver refuses it.
--
-- ARGV[8] -> id of the entry, which is to be the first one
-- ARGV[9] -> status that it was refused with
-- ARGV[10] -> what was said about it
-- ARGV[11] -> bounds of dead letters: see lib/dead.lua
--
-- Returns {1: it is a dead letter, 0: another entry is the first one; dead letters dropped}
local q = load()
DEAD_BOUNDS = ARGV[11]
local first = call('XPENDING', STREAM, GROUP, '-', '+', 1)[1]
if not first or first[1] ~= ARGV[8] then return {0, 0} end
local messages, bytes = q.messages, q.tail - q.head
bury(q, first[1], first[4], 'status', ARGV[9], 'answer', ARGV[10])
begin_at(q)
account(q, messages, bytes)
set(q, 'alone', '')
save(q)
return {1, dead_dropped}
